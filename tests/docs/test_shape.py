import pytest

from tests.docs.shape import difference, shape


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("today: 38 requests, $0.30, added p50 7.3 ms", "today: 1,204 requests, $12.00, added p50 12.0 ms"),
        ("writer   RUNNING  7743  14s     0         80.2 MiB", "writer RUNNING 9 2h 3m 12 901 KiB"),
        ("01a22155-537b-7aac-9fdf-aad5820c0551  done", "0192aaaa-537b-7aac-9fdf-ffffffffffff  done"),
        ("prices 2026-11-28+2cdb9178", "prices 2027-01-02+ffffffff"),
        ("Passes (tokens of o200k_base)", "Passes (tokens of estimate)"),
        ("saved $0.0038", "saved <$0.0001"),
    ],
)
def test_runs_differ_in_figures(one, other):
    assert shape(one) == shape(other)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (("TokenPak 0.1.0  ready",), ["TokenPak 0.1.0  degraded"]),
        (("SAVED  MISS",), ["SAVED"]),
        (("one",), ["one", "two"]),
        (("one", "two"), ["one"]),
        (("one", "…", "three"), ["one", "two"]),
        (("COST  -",), ["COST  12"]),
        (("calls … now",), ["would call it then"]),
        ((), ["anything"]),
    ],
)
def test_words_lines_and_what_is_unknown_must_agree(shown, printed):
    assert difference(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (("one", "…", "three"), ["one", "three"]),
        (("one", "…", "three"), ["one", "two", "two and a half", "three"]),
        (("calls … now",), ["calls http://127.0.0.1:8766 now"]),
        (("…",), []),
        ((), []),
    ],
)
def test_what_is_left_out_may_be_anything(shown, printed):
    assert difference(shown, printed) == ""
