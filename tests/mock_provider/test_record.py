import base64

from tokenpak.mock_provider.record import Record, entry, summary


def test_requests_are_kept_as_they_came():
    record = Record()
    record.add("POST", "/v1/x?a=%20", [("X-Case", "v"), ("x-case", "w")], b"\x00\xff")
    kept = record.since(0)[0]
    assert kept.headers == [("X-Case", "v"), ("x-case", "w")]
    assert base64.b64decode(entry(kept)["body"]) == b"\x00\xff"
    assert "body" not in summary(kept)
    assert summary(kept)["size"] == 2


def test_the_oldest_go_first_by_number():
    record = Record(requests=2)
    for n in range(5):
        record.add("GET", f"/{n}", [], b"")
    assert [kept.target for kept in record.since(0)] == ["/3", "/4"]
    assert [kept.seq for kept in record.since(4)] == [5]
    assert record.one(5).target == "/4"
    assert record.one(1) is None
    assert record.statistics().received == 5
    assert record.statistics().dropped == 3


def test_the_oldest_go_first_by_size():
    record = Record(size=10)
    for n in range(4):
        record.add("POST", f"/{n}", [], b"xxxx")
    assert record.statistics().kept == 2
    assert record.statistics().bytes_kept == 8
    record.add("POST", "/large", [], b"x" * 11)
    assert record.statistics().kept == 0
    assert record.statistics().bytes_kept == 0


def test_forgetting_keeps_the_numbers_going():
    record = Record()
    record.add("GET", "/", [], b"x")
    record.clear()
    assert record.since(0) == []
    assert record.add("GET", "/", [], b"").seq == 2
