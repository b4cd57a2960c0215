import io
import math

import msgspec
import pytest
from rich.console import Console

from tokenpak.cli.demonstration.bill import Side
from tokenpak.cli.demonstration.report import percent, quantile, shortened, show
from tokenpak.cli.demonstration.run import Outcome, Result, Stored
from tokenpak.core.patch import Format
from tokenpak.telemetry.queries import PassTotal

OUTCOME = Outcome(
    "cc-1", "Claude Code", Format.ANTHROPIC, 10, 7, 3, Side(1000, 200, 500.0), Side(800, 150, 450.0), 9, 0, ()
)
STORED = Stored({"done": 10}, (PassTotal("line-runs", "o200k_base", 7, 21, 200),), (1.0, 2.0, 9.0), 0)
RESULT = Result((OUTCOME,), STORED, "o200k_base", {"serve": 0, "mock-provider": 0}, ())


def shown(result):
    out = io.StringIO()
    show(result, Console(file=out, width=140))
    return out.getvalue()


def test_a_user_sees_what_was_saved_and_why():
    text = shown(RESULT)
    for words in ("200 → 150", "-25.0 %", "-20.0 %", "-10.0 %", "9/9", "line-runs", "2.0 ms", "9.0 ms", "$3.00/M"):
        assert words in text
    assert "✗" not in text
    assert "FAILED" not in text


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (msgspec.structs.replace(RESULT, left=("front (pid 7) still runs",)), "front (pid 7) still runs"),
        (msgspec.structs.replace(RESULT, exit_codes={"serve": 1}), "serve ended with code 1"),
        (msgspec.structs.replace(RESULT, stored=msgspec.structs.replace(STORED, states={"done": 9})), "the store has"),
        (msgspec.structs.replace(RESULT, stored=msgspec.structs.replace(STORED, defects=1)), "1 defects"),
        (msgspec.structs.replace(RESULT, outcomes=(msgspec.structs.replace(OUTCOME, breaks=2),)), "2 prefix breaks"),
        (
            msgspec.structs.replace(RESULT, outcomes=(msgspec.structs.replace(OUTCOME, failures=("turn 3: odd",)),)),
            "cc-1: turn 3: odd",
        ),
    ],
)
def test_a_user_sees_what_failed(result, words):
    assert result.faults
    text = shown(result)
    assert words in text
    assert "FAILED" in text


def test_nothing_stored_is_no_crash():
    assert "-" in shown(msgspec.structs.replace(RESULT, stored=Stored({}, (), (), 0)))


def test_quantiles_are_values_that_occurred():
    values = [float(n) for n in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert quantile([7.0], 0.5) == 7.0
    assert math.isnan(quantile([], 0.5))


def test_words_and_figures():
    assert percent(0, 5) == "-"
    assert percent(100, 100) == "+0.0 %"
    assert len(shortened("a" * 40)) < 20
    assert shortened("pi") == "pi"
