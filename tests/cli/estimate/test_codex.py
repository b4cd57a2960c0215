"""Rollouts of Codex: where one request ends and the next begins, which no line says."""

import json

import pytest
from estimate_lab import Codex, epoch

from tokenpak.cli.estimate.codex import turns
from tokenpak.cli.estimate.turns import Broken, Compacted, Turn
from tokenpak.core.patch import Format
from tokenpak.core.usage import Usage


def read(log, *, counted=True):
    return list(turns(log.raw() if isinstance(log, Codex) else log, "name", counted=counted))


def sizes(log, *, counted=True):
    return [len(turn.items) for turn in read(log, counted=counted) if isinstance(turn, Turn)]


def session(*, counted):
    log = Codex()
    log.user("rules", 0, role="developer")
    log.user("go", 1)
    log.call("c1", 3)
    if counted:
        log.count(1000, 0, second=4, again=3)
    log.output("c1", "text", 6)
    log.call("c2", 8)
    if counted:
        log.count(300, 900, second=9)
    return log


@pytest.mark.parametrize("counted", [True, False])
def test_requests_are_what_stood_before_an_answer(counted):
    assert sizes(session(counted=counted), counted=counted) == [2, 5]


def test_what_a_turn_knows():
    first, second = read(session(counted=True))
    assert (first.session, first.model, first.format) == ("r1", "gpt-5.4", Format.OPENAI_RESPONSES)
    assert json.loads(first.system) == "be a good agent"
    assert (first.at, second.at) == (epoch(1), epoch(6))
    assert first.usage == Usage(1000, 0, None, None, None, 9)
    assert second.usage == Usage(300, 900, None, None, None, 9)
    assert json.loads(first.items[1])["content"][0]["text"] == "go"


def test_counts_that_come_after_results_are_of_the_answer_before_them():
    log = Codex()
    log.user("go")
    for nth in range(3):
        log.call(f"c{nth}")
        log.output(f"c{nth}", "text")
        log.count(100 + nth, 0)
    assert sizes(log) == [1, 4, 7]
    assert [turn.usage.uncached for turn in read(log)] == [100, 101, 102]


def test_a_record_ends_an_answer_and_counts_after_it_end_none():
    late = {"type": "token_count", "info": {"last_token_usage": {"input_tokens": 7}}}
    log = Codex(session="thread")
    log.lines[0]["payload"]["session_id"] = "root"
    log.user("go")
    for nth in range(2):
        log.call(f"c{nth}")
        counts = {"input_tokens": 50 + nth, "cached_input_tokens": 8, "output_tokens": 1}
        log.line("token_usage_record", {"response_id": f"resp_{nth}", "usage": counts})
        log.output(f"c{nth}", "text")
    log.lines.insert(-2, {"type": "event_msg", "payload": late})
    found = read(log)
    assert [(turn.response, turn.usage.uncached, len(turn.items)) for turn in found] == [
        ("resp_0", 42, 1),
        ("resp_1", 43, 4),
    ]
    assert {(turn.session, turn.conversation) for turn in found} == {("root", "agent thread")}


def test_a_count_that_comes_again_ends_no_answer():
    log = Codex()
    log.user("go")
    log.call("c0")
    log.count(100, 0)
    log.output("c0", "text")
    log.call("c1")
    log.lines.append(log.lines[-4])
    log.count(200, 90)
    assert log.lines[-2]["payload"]["type"] == "token_count"
    assert [turn.usage.uncached for turn in read(log)] == [100, 200]


def test_a_prompt_ends_an_answer_that_was_broken_off():
    log = Codex()
    log.user("go")
    log.call("c0")
    log.user("no, rather so")
    log.call("c1")
    log.count(9, 0)
    assert [(len(turn.items), turn.usage is None) for turn in read(log)] == [(1, True), (4, False)]


def test_news_of_other_shapes_are_no_broken_lines():
    log = Codex()
    log.line("event_msg", {"type": "item_completed", "message": {"of": "another shape"}})
    log.line("world_state", {"message": 7})
    assert read(log) == []


def test_written_tokens_are_no_uncached_ones():
    log = Codex()
    log.user("go")
    log.call("c1")
    counts = {"input_tokens": 100, "cached_input_tokens": 40, "cache_write_input_tokens": 10, "output_tokens": 20}
    log.line(
        "event_msg", {"type": "token_count", "info": {"last_token_usage": {**counts, "reasoning_output_tokens": 5}}}
    )
    (turn,) = read(log)
    assert turn.usage == Usage(50, 40, None, None, 10, 20, 5)


def test_results_that_come_while_an_answer_is_written_do_not_end_it():
    log = Codex()
    log.user("go")
    log.call("c0")
    log.count(10, 0)
    log.output("c0", "zero")
    log.call("c1")
    log.output("c1", "one")
    log.call("c2")
    log.output("c2", "two")
    log.count(20, 10)
    assert sizes(log) == [1, 4]


def test_the_clients_own_notes_are_not_sent():
    log = Codex()
    item = {"type": "message", "role": "user", "content": [], "internal_chat_message_metadata_passthrough": {"a": 1}}
    log.line("response_item", item)
    log.call("c1")
    assert json.loads(read(log)[0].items[0]) == {"type": "message", "role": "user", "content": []}


def test_the_model_may_change():
    log = session(counted=True)
    log.line("turn_context", {"model": "gpt-5.4-mini"})
    log.user("again")
    log.call("c3")
    assert [turn.model for turn in read(log)] == ["gpt-5.4", "gpt-5.4", "gpt-5.4-mini"]


@pytest.mark.parametrize(
    ("payload", "items"),
    [
        ({"message": "", "replacement_history": [{"type": "message", "role": "user", "content": []}]}, 2),
        ({"message": "what was done"}, 4),
    ],
)
def test_a_compaction_replaces_the_history(payload, items):
    log = session(counted=True)
    log.line("compacted", payload)
    log.user("go on")
    log.call("c9")
    found = read(log)
    assert sum(isinstance(each, Compacted) for each in found) == 1
    assert len(found[-1].items) == items


def test_broken_lines_are_told_and_skipped():
    log = session(counted=True)
    found = read([*log.raw()[:4], b'{"timestamp": 5}\n', b"not json\n", b"\n", *log.raw()[4:]])
    assert [each for each in found if isinstance(each, Broken)] == [Broken("line")] * 2
    assert sum(isinstance(each, Turn) for each in found) == 2
