"""The attribution table of DESIGN section 5, end to end: from the client's bytes and the provider's to the row."""

import json

import lab
import pytest
import wire

from tests.core import agent_loop
from tests.core.readings import REPEATED, anthropic
from tests.proxy.test_exchange import asked, post
from tests.services.dispatching import LIMITS, Workers
from tokenpak.core.usage import Usage
from tokenpak.services.accounts import Accounts
from tokenpak.services.dispatch import Dispatch
from tokenpak.services.memory import PlanMemory

CHAT = json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": "word " * 6000}]}).encode()
TWICE = anthropic(REPEATED * 9, REPEATED * 9).replace(b'"m"', b'"claude-sonnet-4-5"')
MESSAGES, COMPLETIONS = "/v1/messages", "/v1/chat/completions"


def answer(usage, status=200, **more):
    body = json.dumps({"type": "message", "content": [], "usage": usage, **more}).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def used(uncached, read=0, written=0):
    counts = {"input_tokens": uncached, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    split = {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
    return answer({**counts, "cache_creation": split, "output_tokens": 1}, model="claude-sonnet-4-5-20250929")


def completed(prompt, cached):
    counts = {"prompt_tokens": prompt, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}}
    return answer(counts, model="gpt-4.1")


class Provider:
    """Gives its answers one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def __call__(self, peer, number):
        while True:
            await peer.message()
            await peer.send(self.answers.pop(0))


async def exchanged(tmp_path, *turns):
    """The row's end of each of these requests: path, body, the provider's answer."""
    dispatch = Dispatch(Workers(), PlanMemory(tmp_path / "plans", 2**20), LIMITS)
    provider = Provider(*(reply for _, _, reply in turns))
    async with wire.provider(provider) as there, lab.front(there.url, dispatch=dispatch) as front:
        for path, body, _ in turns:
            await asked(front, post(body, path=path))
        await wire.wait_until(lambda: len(front.recorder.closed) == len(turns))
        return front.recorder.closed


TABLE = [
    ("no cache tokens", [(MESSAGES, agent_loop.claude_code(3), used(5000))], None, []),
    (
        "client marks and a hit",
        [(MESSAGES, agent_loop.claude_code(3), used(100, 5000))],
        "client",
        [("client", "provider_cache", 5000)],
    ),
    (
        "an automatic hit on an unmodified body",
        [(COMPLETIONS, CHAT, completed(7000, 6912))],
        "unknown",
        [("unclassified", "provider_cache", 6912)],
    ),
    (
        "a hit without marks",
        [(MESSAGES, agent_loop.plain(3), used(100, 5000))],
        "unknown",
        [("unclassified", "provider_cache", 5000)],
    ),
    (
        "our marks, on the request that writes",
        [(MESSAGES, agent_loop.plain(1), used(2000)), (MESSAGES, agent_loop.plain(2), used(5, 0, 2200))],
        None,
        [("proxy", "cache_marks", 0)],
    ),
    (
        "our marks, on the request that reads",
        [
            (MESSAGES, agent_loop.plain(1), used(2000)),
            (MESSAGES, agent_loop.plain(2), used(5, 0, 2200)),
            (MESSAGES, agent_loop.plain(3), used(5, 2200, 200)),
        ],
        "unknown",
        [("proxy", "cache_marks", 2200)],
    ),
    ("upstream 500", [(MESSAGES, TWICE, answer({}, 500))], None, []),
    ("upstream 500 after edits and marks", [(MESSAGES, TWICE, answer({"input_tokens": 9}, 500))], None, []),
]


@pytest.mark.parametrize(("what", "turns", "origin", "lines"), TABLE, ids=[each[0] for each in TABLE])
async def test_the_table(what, turns, origin, lines, tmp_path):
    row = (await exchanged(tmp_path, *turns))[-1]
    assert row.cache_origin == origin
    assert [(line.cause, line.mechanism, line.tokens) for line in row.savings] == lines
    if "marks, on" in what:
        assert row.savings[0].nanos < 0 if "writes" in what else row.savings[0].nanos > 0


async def test_marks_on_a_request_whose_blocks_are_seen_in_two_ways_are_credited_to_nobody(tmp_path):
    def body(steps):
        first, *rest = agent_loop.loop(steps)
        return agent_loop.request([first, {"role": "assistant", "content": []}, *rest])

    rows = await exchanged(
        tmp_path, *((MESSAGES, body(n), used(5, read, 2200)) for n, read in ((1, 0), (2, 0), (3, 2200)))
    )
    assert rows[-1].passes["cache-marks"].edits > 0
    assert [(line.cause, line.tokens) for line in rows[-1].savings] == [("unclassified", 2200)]
    assert rows[-2].savings == ()


async def test_our_edits(tmp_path):
    (row,) = await exchanged(tmp_path, (MESSAGES, TWICE, used(4000)))
    (line,) = row.savings
    assert (line.cause, line.mechanism, line.basis) == ("proxy", "compression", "estimate")
    assert line.tokens == sum(tally.saved for tally in row.passes.values())
    assert line.nanos == line.tokens * 3000
    assert row.cost_nanos == 4000 * 3000 + 15_000


async def test_a_count_and_a_pre_warm_open_no_account(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(Accounts, "open", lambda _self, told: opened.append(told))
    small = agent_loop.request(agent_loop.loop(1), [agent_loop.text("short")])
    assert len(small) < 8192 * 4
    for body in (small, TWICE):
        warm = body.replace(b'"model"', b'"max_tokens":0,"model"', 1).replace(b', "max_tokens": 8192', b"")
        rows = await exchanged(
            tmp_path,
            (MESSAGES + "/count_tokens", body, answer({}, input_tokens=500)),
            (MESSAGES, warm, used(0, 0, 500)),
        )
        assert [(row.savings, row.cache_origin) for row in rows] == [((), None)] * 2
        assert [row.cost_nanos for row in rows][:1] == [None]
    assert opened == []


async def test_a_small_request_has_an_account_too(tmp_path):
    small = agent_loop.claude_code(1)
    rows = await exchanged(tmp_path, (MESSAGES, small, used(100, 2000)), (MESSAGES, small, used(0, 2100)))
    assert [row.cache_origin for row in rows] == ["client", "client"]
    assert rows[1].expected.read > 0


async def test_a_stream_that_breaks_off_before_its_usage_is_not_priced(tmp_path):
    event = b'event: x\ndata: {"choices":[{"delta":{"content":"some words"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(event)
    (row,) = await exchanged(tmp_path, (COMPLETIONS, CHAT, head + event))
    assert (row.usage_basis, row.cost_nanos, row.price_id, row.savings) == ("estimate", None, None, ())
    assert row.usage != Usage()
