"""First lines that a tool always says."""

from tests.core.contract import Words
from tests.core.passes.asked import sent, words
from tests.core.writing import written
from tokenpak.core.body.openai_chat import message_unit
from tokenpak.core.markers import Place
from tokenpak.core.passes.first_lines import propose
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.target import Target

SAID = (
    "The file /repo/source/module.py has been updated. Here is the result of running cat on a snippet of it, as always:"
)


def test_said_once():
    one, two, three = sent(["first-lines"], SAID + "\na", SAID + "\nb", SAID, name="Edit", path="x")
    assert one == SAID + "\na"
    assert words(two) == "[first line: same as in the Edit before]\nb"
    assert words(three) == "[first line: same as in the Edit before]"


def test_another_line_in_between_counts():
    other = SAID.replace("module", "another")
    assert sent(["first-lines"], SAID, other, SAID, name="Edit", path="x") == [SAID, other, SAID]


def test_a_line_of_which_a_part_is_replaced_already_stays():
    """A run between literal line ends lies inside a line."""
    call = {"id": "c", "type": "function", "function": {"name": "Edit", "arguments": "{}"}}
    (block,) = message_unit(written({"role": "assistant", "tool_calls": [call]})).blocks
    index, text = Index(), SAID + "\na"
    index.hear(text, [(0, len(text))], "Edit")
    target = Target(Place(bytes(16), 0), text, None, ("Edit",), "", block)
    assert len(propose(index, target, [(0, len(SAID)), (len(SAID) + 1, len(text))], Words())) == 1
    assert propose(index, target, [(0, 20), (40, len(text))], Words()) == []


def test_short_lines_stay():
    assert sent(["first-lines"], "ok\na", "ok\na", name="Edit", path="x") == ["ok\na", "ok\na"]


def test_a_line_that_the_same_text_leads_back_to_stays():
    """A reference to earlier lines of its own text needs them there, the first of them most of all."""
    lines = [SAID, *(f"line {n} of a part that is long enough to be worth a reference" for n in range(14))]
    text = "\n".join([*lines, "in between", *lines])
    _, two = sent(["line-runs", "first-lines"], SAID + "\na", text, name="Edit", path="x")
    assert words(two).startswith(SAID + "\n")
    assert '[15 lines: same as this text from "' in words(two)
