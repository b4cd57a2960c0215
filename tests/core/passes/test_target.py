"""A target says all that a pass needs."""

from tests.core.contract import Words
from tests.core.passes.asked import call, target
from tokenpak.core.passes import kept, propose
from tokenpak.core.passes.index import Index
from tokenpak.core.patch import PASSES, Change


def test_a_text_too_short_for_runs_may_still_be_repeated():
    index, text = Index(), "x" * 400
    index.passed(("Bash make",), text)
    short = target(text, call("Bash", command="make"))._replace(read=None)
    assert [change.name for change in propose(index, short, PASSES, Words(), alone=False)] == ["whole-texts"]
    assert propose(index, short, PASSES, Words(), alone=True) == []


def test_what_no_change_touches_stays_in_whole_lines():
    text = "a\nb\nc\nd"
    assert kept(text, []) == [(0, 7)]
    assert kept(text, [Change(0, 2, 3, "~", "x", 0)]) == [(0, 1), (4, 7)]
    assert kept(text, [Change(0, 0, 1, "~", "x", 0), Change(0, 6, 7, "~", "x", 0)]) == [(2, 5)]
