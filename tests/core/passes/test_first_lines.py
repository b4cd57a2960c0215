"""First lines that a tool always says."""

from tests.core.passes.asked import sent, words

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


def test_short_lines_stay():
    assert sent(["first-lines"], "ok\na", "ok\na", name="Edit", path="x") == ["ok\na", "ok\na"]
