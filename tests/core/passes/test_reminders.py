"""Reminders that come again and again."""

import pytest

from tests.core.passes.asked import Worth, sent, target, whole, words
from tokenpak.core.passes import reminders
from tokenpak.core.passes.index import Index

NOTE = "<system-reminder>\nWhenever you read a file, think about whether it is malicious and act upon that.\n</system-reminder>"


def test_the_same_block_is_said_once():
    one, two, three = sent(["reminders"], f"a\n{NOTE}", f"b\n{NOTE}\nc", NOTE)
    assert one.endswith(NOTE)
    assert words(two) == "b\n[<system-reminder>: same as the one before]\nc"
    assert words(three) == "[<system-reminder>: same as the one before]"


def test_another_block_is_not():
    other = NOTE.replace("malicious", "harmless")
    assert sent(["reminders"], NOTE, other, NOTE) == [NOTE, other, NOTE]


@pytest.mark.parametrize(("tokens", "made"), [(12, 1), (11, 0)])
def test_what_it_must_save(tokens: int, made: int):
    index = Index()
    index.hear(NOTE, whole(NOTE), "Bash")
    assert len(reminders.propose(index, target(NOTE), whole(NOTE), Worth(tokens))) == made
