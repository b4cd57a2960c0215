"""Whole texts that are the same as an earlier one."""

from tests.core.passes.asked import sent, words

TEXT = "one line that says a great deal, and then says it all over again, so that it is worth a marker of its own" * 2


def test_the_second_and_the_third():
    assert [words(text) for text in sent(["whole-texts"], TEXT, TEXT, TEXT)] == [
        TEXT,
        "[whole text: same as Bash make]",
        "[whole text: same as Bash make]",
    ]


def test_only_the_nearest_of_the_name():
    assert sent(["whole-texts"], TEXT, "other", TEXT) == [TEXT, "other", TEXT]


def test_short_ones_are_not_worth_it():
    assert sent(["whole-texts"], "done", "done") == ["done", "done"]
