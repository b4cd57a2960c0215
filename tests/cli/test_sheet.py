import csv
import json
import sys

import msgspec
import pytest

from tests.cli.terminal import Terminal
from tokenpak.cli import sheet
from tokenpak.cli.commands.events import BadMoment
from tokenpak.cli.sheet import Period, Sheet
from tokenpak.config.settings import ConfigError
from tokenpak.core.usage import Usage
from tokenpak.telemetry.reports import Cost

COST = Cost("a", 1, 1, 0, 0, 1, 5, Usage(3, None))


@pytest.mark.parametrize(
    ("nanos", "shown"),
    [
        (None, "-"),
        (0, "$0.0000"),
        (1_234_567_890_000, "$1,234.5679"),
        (-2_000_000, "-$0.0020"),
        (1, "<$0.0001"),
        (-1, "-<$0.0001"),
        (50_000, "$0.0001"),
    ],
)
def test_money_is_never_nothing_where_it_is_something(nanos, shown):
    assert sheet.money(nanos) == shown


def test_figures_stand_at_the_right_and_words_at_the_left():
    assert sheet.grid(("NAME", "COUNT"), [("a", "1"), ("bcdef", "22"), ("g", "-")]) == (
        "NAME   COUNT\na          1\nbcdef     22\ng          -"
    )


def test_csv_has_no_value_for_what_is_not_known_and_no_formula():
    text = sheet.as_csv([COST, Cost("=1+1", 1, 0, 1, 0, 0, None, Usage())], Cost)
    head, first, second = text.splitlines()
    assert head.startswith("key,requests,priced,unpriced,unreported,reported,nanos,usage_uncached,")
    assert first.startswith("a,1,1,0,0,1,5,3,,")
    assert second.startswith("'=1+1,1,0,1,0,0,,,")
    assert sheet.as_csv([], Cost).splitlines() == [head]


class Inner(msgspec.Struct):
    one: int
    other: str


class Outer(msgspec.Struct):
    sure: bool
    lines: tuple[Inner, ...]
    inner: Inner | None
    tallies: dict[str, Inner]
    renamed: int | None = msgspec.field(name="pass", default=None)


def test_csv_holds_no_words_of_pythons_and_its_columns_are_those_of_the_kind():
    full = Outer(sure=True, lines=(Inner(1, "a"),), inner=Inner(2, "b"), tallies={"x": Inner(3, "c")}, renamed=4)
    bare = Outer(sure=False, lines=(), inner=None, tallies={})
    head, *lines = csv.reader(sheet.as_csv([full, bare], Outer).splitlines())
    assert head == ["sure", "lines", "inner_one", "inner_other", "tallies", "pass"]
    assert lines == [
        ["true", '[{"one":1,"other":"a"}]', "2", "b", '{"x":{"one":3,"other":"c"}}', "4"],
        ["false", "[]", "", "", "{}", ""],
    ]


def test_a_line_has_as_much_room_as_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "91")
    assert sheet.room() is None
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert sheet.room() == 91


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_an_answer_has_three_forms(capsys, form):
    sheet.put(Sheet("words", {"cost": COST}, [COST], Cost), form)
    out = capsys.readouterr().out
    if form == "json":
        assert json.loads(out)["cost"]["usage"]["cache_read"] is None
    assert out.endswith("\n")
    assert ("words" in out, "key," in out) == (form == "text", form == "csv")


def test_forms_exclude_each_other():
    assert [sheet.form(False, False), sheet.form(True, False), sheet.form(False, True)] == ["text", "json", "csv"]
    with pytest.raises(ConfigError):
        sheet.form(True, True)


def test_periods():
    today, week = sheet.periods(None)
    assert (today.name, week.name) == ("today", "7 days")
    assert 5.9 < (today.since_ns - week.since_ns) / 86_400e9 < 6.1
    assert sheet.periods("all") == (Period("all", 0),)
    assert sheet.asked("1h", 10**13).since_ns == 10**13 - 3600 * 10**9
    with pytest.raises(BadMoment):
        sheet.periods("yesterday")
