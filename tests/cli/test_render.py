import pytest

from tokenpak.cli.render import amount, duration, size, table


def test_columns_are_as_wide_as_they_must_be():
    assert table(("A", "LONG"), [("xyz", ""), ("b", "c")]) == "A    LONG\nxyz\nb    c"
    assert table(("A",), []) == "A"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3599, "59m 59s"), (7380, "2h 3m"), (439_300, "5d 2h")],
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (3 * 2**40, "3.0 TiB")]
)
def test_sizes(count, text):
    assert size(count) == text


def test_one_is_not_many():
    assert [amount(count, "text") for count in (0, 1, 2, 1000)] == ["0 texts", "1 text", "2 texts", "1,000 texts"]
