import io

import pytest
from rich.console import Console

from tests.cli.estimate.test_rows import booked, cut, row
from tests.cli.estimate.test_told import told
from tokenpak.cli.estimate.report import MOST_ROWS, dollars, share, short, show


def shown(found, width):
    out = io.StringIO()
    show(found, Console(file=out, width=width))
    return out.getvalue()


ROWS = [
    row(booked(cut(400, 3 * 10**9, 10**8), bill=20 * 10**9), session="one-with-a-name-that-goes-on-and-on-and-on"),
    row(booked(bill=10**9), session="without"),
    row(booked(cut(nanos=None), bill=None, model="mystery"), session="unpriced"),
]


@pytest.mark.parametrize("width", [80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width):
    out = shown(told(*ROWS), width)
    assert max(map(len, out.splitlines())) <= width
    for figure in ("$20.00", "$3.00", "40.0%", "15.0%"):
        assert figure in out
    assert ("±" in out.split("By cause")[0]) == (width == 200)
    assert ("agent" in out.split("\n")[3]) == (width == 200)


def test_what_stands_in_short():
    out = shown(told(*ROWS), 120)
    assert "worst session:  without (0.0% of its input bill)" in out
    assert "without saving: 1 of 3 sessions" in out
    assert "without price:  mystery (1)" in out
    assert "no session was dearer at any moment" in out
    assert "dearer at some moment: 1 sessions" in shown(told(row(booked(cut(nanos=-9)))), 120)


def test_cause_and_mechanism_have_no_sum():
    table = shown(told(*ROWS), 120).split("By cause and mechanism")[1].split("In short")[0]
    assert "proxy" in table
    assert "all" not in table.replace("added", "")


def test_many_sessions_are_cut_to_the_largest():
    rows = [row(booked(original=1000 + nth), session=f"s{nth:03}") for nth in range(MOST_ROWS + 5)]
    out = shown(told(*rows), 120)
    assert "5 smaller sessions are in --html, --json and --csv" in out
    assert "s004" not in out
    assert "s005" in out


def test_names_are_no_markup():
    assert "[red]x[/red]" in shown(told(row(booked(), session="[red]x[/red]")), 120)


def test_nothing():
    assert "Nothing would have been saved" in shown(told(), 80)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0"), (999, "999"), (1234, "1.23k"), (56_789, "56.8k"), (123_456_789, "123M")]
)
def test_counts_in_three_digits(count, words):
    assert short(count) == words


def test_money_and_shares():
    assert [dollars(each) for each in (None, 0, 5, -2 * 10**9, 123 * 10**7)] == [
        "-",
        "$0.0000",
        "<$0.0001",
        "-$2.00",
        "$1.23",
    ]
    assert [share(each) for each in (None, -0.0, 0.1234)] == ["-", "0.0%", "12.3%"]
