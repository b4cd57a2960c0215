"""Which marks are placed, by shapes of real clients and by rule; and that a marked body is the same request."""

import json
import re
from random import Random

import pytest

from tests.core import agent_loop, corpus
from tests.core.agent_loop import HOUR, MARK, MODEL, SYSTEM, TOOLS, loop, on_last, request, step, text, user
from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, written
from tokenpak.core import breakpoints, ledger
from tokenpak.core.body import canonical, read
from tokenpak.core.breakpoints import MEMBER, Evidence, NotProved, Terms, decide, marked, supported
from tokenpak.core.ledger import Entry, Prices, minimum_of
from tokenpak.core.patch import Format
from tokenpak.core.places import lay_out

NOW = 1000.0
TERMS = Terms(minimum=minimum_of(MODEL))
HEAD = len(TOOLS)
"""Position of the last block of tools and system in these requests."""


def laid(body):
    return lay_out(body, b"")


def entries_at(layout, *positions, until=NOW + 200):
    found = [layout.prefixes[position] for position in positions]
    return {prefix.digest: Entry(prefix.tokens, 300.0, NOW - 100, until) for prefix in found}


def after(body, *known, **more):
    """The decision on a body whose previous request ended before the last turn of the loop."""
    layout = laid(body)
    told = {"seen": len(layout.places) - 3, "continued": 1, **more}
    return decide(layout, Evidence(entries_at(layout, *known), **told), TERMS, NOW)


def carried(body, positions):
    """The body as sent, decoded, and the marks in it by position."""
    out = marked(body, laid(body), positions)
    return out, [index for index, place in enumerate(laid(out).places) if place.marks]


# Which requests


@pytest.mark.parametrize(
    ("provider", "host", "known"),
    [
        ("anthropic", "api.anthropic.com", True),
        ("anthropic", "127.0.0.1", True),
        ("anthropic", "127.8.0.1", True),
        ("anthropic", "localhost", True),
        ("anthropic", "::1", True),
        ("anthropic", "gateway.example", False),
        ("anthropic", "api.anthropic.com.example", False),
        ("anthropic", "10.0.0.1", False),
        ("acme", "api.anthropic.com", False),
        ("openai", "127.0.0.1", False),
    ],
)
def test_hosts(provider, host, known):
    assert supported(provider, host) is known


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (agent_loop.plain(0), "one_shot"),
        (agent_loop.claude_code(4), "covered"),
        (agent_loop.opencode(4), "covered"),
        (request(loop(4), cache_control=MARK), "covered"),
        (agent_loop.continued(2, asked=2), "no_slot"),
        (request(loop(4), [text("x-anthropic-billing-header: a; cch=1;"), text(SYSTEM)]), "billing_cch"),
        (request(loop(4), context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}), "context_management"),
        (agent_loop.plain(4), "placed"),
        (agent_loop.cline(4), "placed"),
        (agent_loop.continued(2), "placed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_by_client(body, why):
    decision = after(body)
    assert decision.why == why
    assert bool(decision.marks) is (why == "placed")


def test_where_marks_go():
    body = agent_loop.plain(3)
    end = len(laid(body).places) - 1
    assert after(body).marks == (HEAD, end - 2, end)
    cline = agent_loop.cline(3)
    assert after(cline).marks == (HEAD, end - 2, end)  # its own first message is the fourth
    assert carried(cline, after(cline).marks)[1] == [HEAD, HEAD + 1, end - 2, end]


def test_continue_has_room_for_one():
    body = agent_loop.continued(3)
    end = len(laid(body).places) - 1
    assert after(body).marks == (end,)
    assert carried(body, (end,))[1] == [HEAD - 1, HEAD, HEAD + 1, end]


def test_a_head_of_tools_alone_and_none_at_all():
    tools = [*TOOLS, {"name": "big", "description": "words " * 900, "input_schema": {}}]
    body = request(loop(3), [], tools)
    assert after(body).marks[0] == len(tools) - 1
    bare = request(loop(30), [], [])
    assert min(after(bare).marks) > 0


def test_a_prefill_is_not_the_tail():
    body = request([*loop(3), {"role": "assistant", "content": "Sure"}])
    assert after(body).marks[-1] == len(laid(body).places) - 2


def test_the_last_block_may_not_be_fit():
    last = user(text("question"), text(""))
    body = request([*loop(3), {"role": "assistant", "content": "ok"}, last])
    assert after(body).marks[-1] == len(laid(body).places) - 2


# Evidence and price


def test_no_evidence_no_mark():
    assert after(agent_loop.plain(3), seen=None, continued=0).why == "not_cheaper"


@pytest.mark.parametrize(
    ("continued", "missed", "placed"),
    [(1, 0, True), (1, 1, False), (2, 1, True), (20, 1, True), (0, 1, False), (3, 3, False)],
)
def test_a_miss_weighs_three_returns(continued, missed, placed):
    assert bool(after(agent_loop.plain(3), continued=continued, missed=missed).marks) is placed


@pytest.mark.parametrize(
    ("credit", "placed"), [(None, True), (-1.0, False), (-0.01, False), (0.01, True), (900.0, True)]
)
def test_after_the_first_stake_what_is_new_is_paid_from_what_was_saved(credit, placed):
    body = agent_loop.plain(5)
    layout = laid(body)
    new = layout.prefixes[-1].tokens - layout.prefixes[-3].tokens
    more = None if credit is None else 0.25 * new + credit
    decision = after(body, credit=more)
    assert bool(decision.marks) is placed
    assert decision.gain == pytest.approx(-0.25 * layout.prefixes[-1].tokens if placed else 0.0)


def test_what_writes_nothing_is_always_affordable():
    assert after(agent_loop.plain(5), HEAD, HEAD + 1, credit=-9999.0).marks == (HEAD, HEAD + 1)


@pytest.mark.parametrize(
    ("model", "placed"), [("claude-sonnet-4-5", True), ("claude-haiku-4-5", False), ("claude-opus-5", True)]
)
def test_the_models_minimum(model, placed):
    layout = laid(agent_loop.plain(3))
    assert 1024 < layout.prefixes[-1].tokens < 4096
    decision = decide(
        layout, Evidence({}, seen=len(layout.places) - 3, continued=1), Terms(minimum=minimum_of(model)), NOW
    )
    assert bool(decision.marks) is placed


def test_the_models_prices():
    layout = laid(agent_loop.plain(3))
    evidence = Evidence({}, seen=len(layout.places) - 3, continued=1)
    dear, usual = Terms(Prices(write_5m=4.0)), decide(layout, evidence, TERMS, NOW)
    assert usual.marks
    assert usual.gain == pytest.approx(-0.25 * layout.prefixes[-1].tokens)
    assert decide(layout, evidence, dear, NOW).marks == ()  # nothing read comes up for writing at such a price
    cheap = decide(layout, evidence, Terms(Prices(write_5m=1.2)), NOW)
    assert cheap.gain == pytest.approx(-0.2 * layout.prefixes[-1].tokens)


def test_a_head_below_the_minimum_gets_none():
    body = request(loop(40), [text("short")])
    assert HEAD not in after(body).marks
    assert after(body).marks


def test_what_is_there_is_read_even_without_hope():
    body = agent_loop.plain(5)
    assert after(body, HEAD, HEAD + 1, seen=None, continued=0).marks == (HEAD, HEAD + 1)


def test_what_has_died_is_not():
    layout = laid(agent_loop.plain(5))
    dead = entries_at(layout, HEAD, HEAD + 1, until=NOW)
    assert decide(layout, Evidence(dead), TERMS, NOW).marks == ()


def test_the_marks_of_a_client_that_read_it_all_are_enough():
    body = agent_loop.cline(1)
    assert after(body, HEAD + 1, seen=None, continued=0).marks == ()


@pytest.mark.parametrize("calls", [1, 9, 10, 11, 25])
def test_the_last_tail_is_found_again_however_much_a_turn_adds(calls):
    messages = [*loop(3), *step(3, calls)]
    body = request(messages)
    layout = laid(body)
    old = len(layout.places) - 2 * calls - 1
    decision = after(body, old, seen=old)
    lives = dict.fromkeys(decision.marks, "5m")
    used = ledger.ask(entries_at(layout, old), layout.prefixes, lives, ledger.ANTHROPIC, NOW).used
    assert used.read == layout.prefixes[old].tokens
    assert used.uncached == 0
    assert len(decision.marks) <= 4
    assert decision.marks[-1] == len(layout.places) - 1


@pytest.mark.parametrize(("added", "marks"), [(19, 1), (20, 1), (21, 2), (40, 2)])
def test_the_old_tail_keeps_a_mark_beyond_the_look_back(added, marks):
    head = [text(SYSTEM, MARK)], [TOOLS[0], {**TOOLS[1], "cache_control": MARK}]
    said = [text(f"part {number}") for number in range(added - 1)]
    messages = [*loop(3), {"role": "assistant", "content": "ok"}, user(*said)]
    body = request(messages, *head)
    end = len(laid(body).places) - 1
    assert after(body, end - added, seen=None).marks == ((end,) if marks == 1 else (end - added, end))


def test_a_client_that_marks_its_head_gets_no_second_mark_there():
    body = request(loop(3), [text(SYSTEM), text("more", MARK)])
    assert min(after(body).marks) > HEAD + 1


def test_with_one_slot_and_a_long_turn_the_ledger_decides():
    body = request(
        [*loop(30), *step(30, 15)], [text(SYSTEM, MARK)], [{**tool, "cache_control": MARK} for tool in TOOLS]
    )
    old = len(laid(body).places) - 31
    assert after(body, old, seen=old).marks == (old,)  # rewriting it all costs more than one more turn gives back
    assert after(body, seen=old).marks == (len(laid(body).places) - 1,)


def test_none_of_five_minutes_before_one_of_an_hour():
    first, *rest = loop(4)
    body = request([on_last(first, HOUR), *rest])
    assert min(after(body).marks) > HEAD + 1
    late = request([first, *rest[:-3], on_last(rest[-3], HOUR), *rest[-2:]])
    assert after(late).marks == (len(laid(late).places) - 1,)


def test_what_will_be_in_the_cache():
    body = agent_loop.plain(3)
    decision, layout = after(body), laid(body)
    assert {layout.prefixes[mark].digest for mark in decision.marks} == set(decision.entries)
    cline = laid(agent_loop.cline(0))
    assert list(decide(cline, Evidence({}), TERMS, NOW).entries) == [cline.prefixes[HEAD + 1].digest]


# Bytes


@pytest.mark.parametrize(
    ("section", "before", "position", "sent"),
    [
        (
            "messages",
            '[{"role":"user","content":"hi"}]',
            0,
            '[{"role":"user","content":[{"type":"text","text":"hi",CC}]}]',
        ),
        (
            "messages",
            '[ {"content" : [ {"text":"a" , "type":"text" } ] , "role":"user"} ]',
            0,
            '[ {"content" : [ {"text":"a" , "type":"text" ,CC} ] , "role":"user"} ]',
        ),
        (
            "messages",
            '[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"\\u0062"}]}]',
            1,
            '[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"\\u0062",CC}]}]',
        ),
        ("system", '"be kind"', 0, '[{"type":"text","text":"be kind",CC}]'),
        ("system", '[{"type":"text","text":"x"}]', 0, '[{"type":"text","text":"x",CC}]'),
        ("tools", '[{"name":"t","input_schema":{}}]', 0, '[{"name":"t","input_schema":{},CC}]'),
    ],
)
def test_bytes(section, before, position, sent):
    history = "" if section == "messages" else ', "messages":[]'
    body = f'{{"{section}": {before}{history} }}'.encode()
    out = marked(body, laid(body), [position])
    assert out == f'{{"{section}": {sent}{history} }}'.encode().replace(b"CC", MEMBER)


def test_no_mark_is_the_same_object():
    body = agent_loop.plain(1)
    assert marked(body, laid(body), ()) is body


@pytest.mark.parametrize(
    "member",
    [
        b'"cache_control":null',
        b'"cache_control":{"type":"ephemeral","ttl":"1h"}',
        b'"cache_control":{"type":"ephemeral"},"text":"other"',
        b'"cache_control":{"type":"ephemeral"},"citations":[]',
        b'"cache_control":{"type":"ephemeral"',
        b'"cached":true',
    ],
)
@pytest.mark.parametrize("position", [HEAD, HEAD + 1])
def test_what_is_not_exactly_a_mark_is_not_sent(monkeypatch, member, position):
    monkeypatch.setattr(breakpoints, "MEMBER", member)
    body = agent_loop.plain(1)
    with pytest.raises(NotProved):
        marked(body, laid(body), [position])


def test_a_second_member_of_that_name_is_not_sent():
    body = request([user({**text("x"), "cache_control": None})])
    with pytest.raises(NotProved):
        marked(body, laid(body), [HEAD + 1])


def with_marks(rng, body):
    """The body with marks of a client, up to four, anywhere."""
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    for block in rng.sample(blocks, min(len(blocks), rng.choice([0, 0, 1, 2, 3, 4]))):
        block["cache_control"] = rng.choice([MARK, MARK, HOUR])
    return body


def check(raw, evidence_of=lambda layout: Evidence({}, 1, continued=5)):
    """All that must hold of any decision; returns how many marks were placed."""
    layout = laid(raw)
    decision = decide(layout, evidence_of(layout), TERMS, NOW)
    out = marked(raw, layout, decision.marks)
    assert canonical(read(Format.ANTHROPIC, out)) == canonical(read(Format.ANTHROPIC, raw))
    before, sent = [place.marks for place in layout.places], [place.marks for place in laid(out).places]
    assert [place.prefix for place in laid(out).places] == layout.prefixes
    ours = [index for index, marks in enumerate(sent) if marks != before[index]]
    assert tuple(ours) == decision.marks
    assert all(layout.places[index].fit for index in ours)
    assert sum(map(len, sent)) <= max(4, sum(map(len, before)))
    hours = [index for index, marks in enumerate(before) if "1h" in marks]
    assert not ours or not hours or min(ours) > max(hours)
    assert_only_marks_differ(raw, out)
    return len(ours)


WRAPPED = re.compile(
    re.escape(b'[{"type":"text","text":') + rb'("(?:[^"\\]|\\.)*"),' + re.escape(MEMBER) + rb"\}\]", re.DOTALL
)


def assert_only_marks_differ(raw, out):
    """Without the members, and the blocks around strings, the bytes are the client's."""
    assert WRAPPED.sub(rb"\1", out).replace(b"," + MEMBER, b"") == raw


def test_of_any_request_only_marks_differ():
    placed = 0
    for seed in range(24):
        rng, session = Random(seed), agent_session(seed, 6)
        for count in session.turns():
            body = with_marks(rng, body_of(Format.ANTHROPIC, session, count))
            style = any_style(rng)._replace(colon=" : ")  # so that no mark of the client's looks like ours
            placed += check(written(body, style))
    assert placed > 50


RECORDED = [each for each in corpus.sessions() if each.format is Format.ANTHROPIC]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each.name)
def test_recorded_sessions(recorded):
    session = json.loads(recorded.path.read_bytes())
    for end in session["turn_ends"][1::17]:
        body = corpus.request(session, end + 1, Format.ANTHROPIC)
        check(json.dumps(body).encode())
