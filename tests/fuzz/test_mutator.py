from collections import Counter

from tests.fuzz.mutator import SEEDS, extent, hostile


def test_a_number_means_the_same_bytes_for_ever():
    assert [hostile(3, number) for number in range(50)] == [hostile(3, number) for number in range(50)]
    assert hostile(3, 1) != hostile(4, 1)


def test_every_layer_is_bent_and_most_requests_can_still_be_read():
    cases = [hostile(0, number) for number in range(3000)]
    bent = Counter(layer for case in cases for layer in case.bent.split("+"))
    assert all(bent[layer] > 50 for layer in ("body", "lines", "start", "frame", "bytes"))
    extents = Counter(extent(case.data) for case in cases)
    assert extents["whole"] > 2000
    assert min(extents["part"], extents["none"]) > 30
    assert len({case.data for case in cases}) > 2500


def test_no_bytes_at_all_are_a_part():
    assert extent(b"") == "part"


def test_lawful_requests_are_whole():
    for method, target, body in SEEDS:
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        assert extent(method + b" " + target + b" HTTP/1.1\r\nHost: h\r\n" + length + b"\r\n" + body) == "whole"
