"""The page keeps its prose, gets every table, and never keeps a number that nothing writes any more."""

from pathlib import Path

import pytest

from tests.bench import savings_page
from tests.bench.played import Row
from tests.bench.savings_page import VARIANTS, peer_cells, rewritten, written
from tests.bench.savings_tables import group_cells, in_words, percent, summary, variant_cells

PAGE = Path(__file__).parents[2] / "docs" / "savings.md"


def row(ident, agent="Codex", fmt="responses", **more):
    """A session in which a tenth of everything is saved, unless told otherwise."""
    told = {
        "turns": 30,
        "tokens": 50_000,
        "long": True,
        "sent_tokens": (1000, 900),
        "cost": (500.0, 450.0),
        "final_saved_pct": 10.0,
        "bill_own_pct": -10.0,
        "bill_anthropic_pct": -10.0,
        "bill_openai_pct": -10.0,
        "bill_marked_pct": -10.0 if fmt == "anthropic" else None,
        "worst_pct": -10.0,
        "names_lost_pct": 0.0,
        "references": 4,
        "lines": 25.0,
        "most_in_one_block": 2,
        "hops": 1,
        "prefix_pairs": 29,
        "prefix_kept": 29,
        "changed": 20,
        "expand_tried": 2,
        "expand_wrong": 0,
        "invalid": 0,
        "defects": 0,
        "passes": {"line-runs": (4, 100)},
        **more,
    }
    return Row(id=ident, agent=agent, format=fmt, **told)


SESSIONS = [
    row("a", "Claude Code", "anthropic", final_saved_pct=20.0, bill_anthropic_pct=-15.0, references=8, lines=50.0),
    row("b"),
    row("c", "SWE-agent", turns=3, long=False, final_saved_pct=0.0, worst_pct=0.25, references=0, lines=0.0, passes={}),
]
ROWS = dict.fromkeys(VARIANTS, SESSIONS)


def test_the_page_names_exactly_the_tables_there_are():
    text = rewritten(PAGE.read_text(), written(ROWS))
    assert text.count("<!-- end -->") == text.count("<!-- table: ")
    assert "| long | 2 | 15.00 % |" in text
    assert "**Short sessions and heads save nothing to speak of" in text


def test_writing_twice_changes_nothing():
    once = rewritten(PAGE.read_text(), written(ROWS))
    assert rewritten(once, written(ROWS)) == once


@pytest.mark.parametrize("text", ["", "<!-- table: bars -->\n<!-- end -->\n<!-- table: other -->\n<!-- end -->"])
def test_a_table_too_many_or_too_few_is_an_error(text):
    with pytest.raises(ValueError, match="the page names the tables"):
        rewritten(text, {"bars": "x"})


def test_goals_stand_beside_what_was_found():
    found = {bar.what: bar.found for bar in savings_page.bars(ROWS)}
    assert found["long, last request saved, no head, mean / median"] == "15.00 % / 15.00 %"
    assert found["long, bill with a head, mean: Anthropic / OpenAI rules"] == "−12.50 % / −10.00 %"  # noqa: RUF001 - as printed
    assert found["dearest session of all variants, own rules and marks"] == "0.250 %"
    assert found["references in a long session, mean / most"] == "6 / 8"
    assert found["lines of a reference in long sessions, mean"] == "42"


def test_groups_tell_sessions_and_the_dearest():
    lines = {line[0]: line[1:] for line in group_cells(SESSIONS)}
    assert list(lines) == ["long", "not long", "Claude Code", "Codex", "SWE-agent", "all"]
    assert lines["all"][0] == "3"
    assert lines["all"][1] == "10.00 %"
    assert "0.25 %" in lines["not long"]


def test_peers_are_met_in_their_own_columns():
    line = peer_cells([*SESSIONS, row("d", sent_tokens=(3000, 3000), cost=(1000.0, 1000.0))])[0]
    assert line[1:4] == ["93", "5.00 % / 7.50 % / 10.00 % / 10.00 %", "−6.00 % / −10.00 %"]  # noqa: RUF001 - as printed
    assert line[5] == "1/4"


def test_a_variant_is_one_line():
    assert variant_cells("x", SESSIONS)[:6] == ["x", "3", "10.00 %", "10.00 %", "0 %", "20.00 %"]


def test_people_and_machines_get_the_same():
    told = in_words({"as asked": SESSIONS, "without y": SESSIONS})
    assert "long: without y" in told
    assert "line-runs  2         8      200" in told
    assert "expansion wrong 0 of 6 tried" in told
    assert summary(SESSIONS)["all"]["final_saved_pct"] == {"mean": 10.0, "median": 10.0, "min": 0.0, "max": 20.0}


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "-"), (0.0, "0 %"), (-0.001, "0 %"), (1.0, "1.00 %"), (-1.234, "−1.23 %")],  # noqa: RUF001 - as printed
)
def test_percentages(value, told):
    assert percent(value) == told
