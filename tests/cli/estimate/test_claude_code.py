"""Logs of Claude Code: which requests they stand for. The order of lines is not that of requests; these are the traps."""

import json

import pytest
from estimate_lab import Claude, epoch, reads, says, usage

from tokenpak.cli.estimate.claude_code import CLEARED, turns
from tokenpak.cli.estimate.turns import Broken, Compacted, Turn
from tokenpak.core.usage import Usage


def read(log):
    return list(turns(log.raw() if isinstance(log, Claude) else log, "name"))


def requests(log):
    """Of each turn, what its messages say, in short."""
    return [[_short(json.loads(item)) for item in turn.items] for turn in read(log) if isinstance(turn, Turn)]


def _short(message):
    words = [block.get("text") or block.get("id") or f"={block.get('content')}" for block in message["content"]]
    return f"{message['role'][0]}:{','.join(words)}"


def test_every_answer_is_a_request_for_all_that_was_said_before():
    log = Claude()
    log.user("go", 0)
    log.answer("msg_1", says("I will"), reads("t1"), second=4, usage=usage(3, 0, 100))
    log.result("t1", "text", 7)
    log.answer("msg_2", says("done"), second=9, usage=usage(2, 100, 40, hour=40))
    log.user("more", 60)
    log.answer("msg_3", says("yes"), second=65)
    assert requests(log) == [
        ["u:go"],
        ["u:go", "a:I will,t1", "u:=text"],
        ["u:go", "a:I will,t1", "u:=text", "a:done", "u:more"],
    ]
    first, second, third = read(log)
    assert (first.session, first.conversation, first.model, first.response) == (
        "s1",
        "main",
        "claude-opus-4-6",
        "msg_1",
    )
    assert (first.at, second.at, third.at) == (epoch(0), epoch(7), epoch(60))
    assert first.usage == Usage(3, 0, 100, 0, None, 50)
    assert (first.life, second.life) == ("5m", "1h")
    assert third.usage is None


def test_results_between_the_blocks_of_one_answer_follow_it():
    log = Claude()
    log.user("go")
    log.answer("msg_1", reads("t1"))
    first = log.last
    log.result("t1", "one")
    log.answer("msg_1", reads("t2"), parent=first)
    log.result("t2", "two")
    log.answer("msg_2", says("done"))
    assert requests(log) == [["u:go"], ["u:go", "a:t1,t2", "u:=one,=two"]]


def test_a_conversation_that_was_taken_back_goes_on_from_there():
    log = Claude()
    log.user("go")
    back = log.answer("msg_1", says("one way"))
    log.user("no")
    log.answer("msg_2", says("sorry"))
    log.user("rather so", parent=back)
    log.answer("msg_3", says("better"))
    assert requests(log)[-1] == ["u:go", "a:one way", "u:rather so"]


@pytest.mark.parametrize("parent", ["result", "call"])
def test_a_prompt_whose_parent_is_of_the_last_answer_takes_nothing_back(parent):
    log = Claude()
    log.user("go")
    call = log.answer("msg_1", reads("t1"), reads("t2"))
    beside = log.result("t1", "one", parent=call)
    log.result("t2", "two", parent=call)
    log.user("and more", parent={"result": beside, "call": call}[parent])
    log.answer("msg_2", says("done"))
    assert requests(log)[-1] == ["u:go", "a:t1,t2", "u:=one,=two,and more"]


def test_a_compaction_forgets_all_but_the_summary():
    log = Claude()
    log.user("go")
    log.answer("msg_1", says("done"))
    log.entry("system", subtype="compact_boundary", parent=None)
    log.user("summary", isCompactSummary=True, isVisibleInTranscriptOnly=True)
    log.user("go on")
    log.answer("msg_2", says("yes"))
    assert requests(log) == [["u:go"], ["u:summary,go on"]]
    assert sum(isinstance(each, Compacted) for each in read(log)) == 1


def test_cleared_results_are_cleared_from_then_on():
    log = Claude()
    log.user("go")
    log.answer("msg_1", reads("t1"), reads("t2"))
    log.result("t1", "long")
    log.result("t2", "short")
    log.answer("msg_2", says("a"))
    log.entry("system", subtype="microcompact_boundary", microcompactMetadata={"compactedToolIds": ["t1"]})
    log.user("b")
    log.answer("msg_3", says("c"))
    assert requests(log)[1][-1] == "u:=long,=short"
    assert requests(log)[2][2] == f"u:={CLEARED},=short"


def test_sub_agents_are_conversations_of_their_own():
    log = Claude()
    log.user("go")
    log.answer("msg_1", reads("t1"))
    log.user("look around", isSidechain=True, agentId="a1", parent=None)
    log.answer("msg_s", says("seen"), isSidechain=True, agentId="a1")
    log.result("t1", "report")
    log.answer("msg_2", says("done"))
    found = {turn.response: turn for turn in read(log)}
    assert found["msg_s"].conversation == "agent a1"
    assert requests(log)[-1] == ["u:look around"]  # it ends with the file
    assert len(found["msg_2"].items) == 3


def test_what_was_not_sent_is_left_out():
    log = Claude()
    log.user("go")
    log.user("only shown", isVisibleInTranscriptOnly=True)
    log.answer("msg_e", says("API Error"), model="<synthetic>")
    log.answer("msg_f", says("API Error"), isApiErrorMessage=True)
    log.entry("progress", data={"type": "bash_progress"})
    log.entry("summary", summary="a title")
    log.answer("msg_1", says("done"))
    assert requests(log) == [["u:go"]]


def test_broken_lines_are_told_and_skipped():
    log = Claude()
    log.user("go")
    log.answer("msg_1", says("done"))
    lines = log.raw()
    cut = [
        lines[0],
        b'{"type":"user","message":{"ro\n',
        b'{"type":"user","message":{"role":7}}\n',
        b"\xff\xfe\n",
        lines[1],
    ]
    found = read(cut)
    assert [each for each in found if isinstance(each, Broken)] == [Broken("line")] * 2
    assert sum(isinstance(each, Turn) for each in found) == 1


def test_nothing_in_a_file_of_something_else():
    assert read([b"\n", b"hello\n", b'{"a":1}\n']) == []
