"""The page of examples keeps the verdicts of what has not changed, and says what nobody has judged."""

import pytest

from tests.bench.examples_page import UNJUDGED, VERDICTS, Example, Text, drawn, verdicts, written
from tokenpak.core.patch import Change


def text(number: int, worded: str = "[same as above]") -> Text:
    """A text whose middle line is changed."""
    came = f"first {number}\nsecond\nthird"
    start = came.index("second")
    changes = (Change(0, start, start + len("second"), worded, "line-runs", 9),)
    return Text(f"session-{number}", f"Bash make {number}", came, changes, bytes([number] * 32))


def examples(*texts: Text) -> list[Example]:
    return drawn(texts)


@pytest.mark.parametrize("word", VERDICTS)
@pytest.mark.parametrize("reason", ["", "the source is far away: two results up"])
def test_verdicts_are_kept(word: str, reason: str):
    shown = examples(text(1), text(2))
    judged = {shown[1].ident: (word, reason)}
    page = written(shown, judged, 2)
    assert verdicts(page) == judged
    assert written(shown, verdicts(page), 2) == page


def test_what_nobody_has_judged_says_so():
    shown = examples(text(1), text(2))
    page = written(shown, {shown[0].ident: ("clear", "")}, 2)
    assert page.count(f"**Verdict:** {UNJUDGED}\n") == 1
    assert f"**1 clear**, **0 doubtful**, **0 bad**, **1 {UNJUDGED}**" in page
    assert f"- example 2: {UNJUDGED}: no reason yet" in page


def test_a_verdict_goes_with_what_it_was_about():
    before, after = examples(text(1))[0], examples(text(1, "[same as elsewhere]"))[0]
    page = written([after], verdicts(written([before], {before.ident: ("clear", "")}, 1)), 1)
    assert f"**Verdict:** {UNJUDGED}\n" in page
    assert "clear\n\n###" not in page


def test_a_session_more_moves_nothing_that_is_drawn():
    few = examples(text(1), text(3))
    assert [each.ident for each in examples(text(1), text(2), text(3)) if each.text.session != "session-2"] == [
        each.ident for each in few
    ]
    assert len(drawn([text(n) for n in range(60)], 50)) == 50
