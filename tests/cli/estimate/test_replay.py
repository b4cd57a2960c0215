"""Logs through engine and ledger: whose usage counts for what, what time does, and what is booked."""

import msgspec
import pytest
from estimate_lab import Codex, epoch, recording, says, text_of, working

from tests.core.contract import Words
from tokenpak.cli.estimate import claude_code, codex, recordings
from tokenpak.cli.estimate.head import Heads
from tokenpak.cli.estimate.replay import Means, replayed
from tokenpak.cli.estimate.turns import Turn
from tokenpak.config.prices import in_force, shipped
from tokenpak.core.cost import input_cost
from tokenpak.core.patch import Policy
from tokenpak.core.rules import Rule, Terms

TABLE = in_force(shipped(), {}, "2026-03-01")
MEANS = Means(Words(), TABLE)
OFF = MEANS._replace(terms=Terms(Policy("off")))
COMPRESSED, HIT = ("proxy", "compression", "estimate"), ("client", "provider_cache", "provider")


def play(log, means=MEANS, **how):
    (row,), counts = replayed(lambda: claude_code.turns(log.raw(), "x"), means, **how)
    return row, counts


def test_the_bill_is_the_providers_own_and_the_saving_the_ledgers():
    log = working()
    row, _ = play(log)
    prices = TABLE.find("anthropic", "claude-opus-4-6").prices
    usages = [turn.usage for turn in claude_code.turns(log.raw(), "x") if isinstance(turn, Turn)]
    assert row.bill_nanos == sum(input_cost(usage, prices) for usage in usages)
    assert row.tokens == sum(usage.uncached + usage.cache_read + usage.cache_write_5m for usage in usages)
    assert (row.requests, row.with_usage, row.unpriced) == (12, 12, 0)
    assert set(row.lines) == {COMPRESSED, HIT}
    assert 0 < row.saved_nanos < row.bill_nanos
    assert row.removed == row.lines[COMPRESSED].tokens > 0.1 * row.tokens
    assert row.lines[HIT].tokens == sum(usage.cache_read for usage in usages)


def test_without_edits_nothing_is_ours_and_the_bill_is_the_same():
    row, _ = play(working(), OFF)
    assert set(row.lines) == {HIT}
    assert row.removed == row.saved_nanos == 0
    assert row.bill_nanos == play(working())[0].bill_nanos


def test_rules_of_the_configuration_count():
    by_client = MEANS._replace(rules=(Rule(client="claude-code", level="off"),))
    assert play(working(), by_client)[0].removed == 0
    other = MEANS._replace(rules=(Rule(client="codex", level="off"),))
    assert play(working(), other)[0].removed > 0


def test_the_reported_totals_teach_what_tokens_are_worth():
    low, high = (play(working(turns=16, factor=factor))[0] for factor in (1.0, 1.6))
    assert high.removed / low.removed == pytest.approx(1.6, rel=0.15)
    assert high.missing == pytest.approx(20_000 / 1.6, rel=0.1)
    assert low.missing == pytest.approx(20_000, rel=0.1)


def test_time_decides_what_is_still_cached():
    soon, late = (play(working(usages=False, gap=gap))[0] for gap in (20, 400))
    assert late.tokens == soon.tokens
    assert late.bill_nanos > 2 * soon.bill_nanos
    assert soon.with_usage == 0


def test_what_is_new_is_written_in_both_worlds():
    """What was cut from a new result would have been written to the cache, not read from it."""
    row, _ = play(working(turns=5, usages=False), since=epoch(20 * 4))
    assert (row.requests, row.edited) == (1, 1)
    assert 1000 * row.saved_nanos == row.removed * TABLE.find("anthropic", "claude-opus-4-6").prices.cache_write_5m


def test_what_an_earlier_file_holds_is_replayed_and_not_booked():
    whole, _ = play(working())
    copied = frozenset(f"msg_s1{nth}" for nth in range(8))
    row, counts = play(working(), copied=copied)
    assert (row.requests, counts.copied) == (4, 8)
    assert row.removed < whole.removed
    again, _ = play(working(usages=False), copied=copied)
    first = next(iter(again.lines.values()))
    assert first.nanos < 0.3 * first.tokens * 5000  # read from a cache that the copied turns have filled


def test_so_is_what_was_before_the_time_asked_for():
    row, _ = play(working(), since=epoch(20 * 9))
    assert row.requests == 3
    assert row.began >= epoch(20 * 9)


def test_a_model_without_a_price_has_no_bill():
    log = working()
    for line in log.lines:
        if line["type"] == "assistant":
            line["message"]["model"] = "claude-unheard-of"
    row, _ = play(log)
    assert row.unpriced_models == {"claude-unheard-of": 12}
    assert row.bill_share is None
    assert row.removed > 0


def test_totals_alone_teach_and_make_no_bill():
    totals = [round(1.5 * (8000 + 900 * nth)) for nth in range(4)]
    raw = recording(recorded_input_tokens=totals, model="claude-opus-4-6")
    (row,), counts = replayed(lambda: recordings.turns(raw, "x"), MEANS)
    assert (row.with_usage, row.with_total, counts.untimed) == (0, 4, 4)
    assert row.tokens == pytest.approx(sum(totals), rel=0.01)
    assert row.priced
    assert HIT not in row.lines


def test_what_is_not_told_is_taken_as_given():
    (row,), _ = replayed(lambda: recordings.turns(recording(), "x"), MEANS)
    assert (row.missing, row.models) == (0, {"": 4})
    (row,), _ = replayed(
        lambda: recordings.turns(recording(), "x"), MEANS._replace(model="claude-opus-4-6", missing=9000)
    )
    assert (row.missing, row.models) == (9000, {"claude-opus-4-6": 4})
    assert row.largest > 9000
    assert Heads({}).sizes == {}


def test_codex_is_billed_by_openais_rules():
    log, sent = Codex(), 4000
    log.user("go")
    for nth in range(6):
        log.call(f"c{nth}", 20 * nth)
        log.count(sent - (sent - 3000) * (nth > 0), (sent - 3000) * (nth > 0), second=20 * nth + 1)
        log.output(
            f"c{nth}", text_of([f"new {nth}", *(f"a line of words {n} in a file" for n in range(200))]), 20 * nth + 2
        )
        sent += 3000
    (row,), _ = replayed(lambda: codex.turns(log.raw(), "x", counted=True), MEANS)
    assert (row.session, row.requests, row.with_usage) == ("r1", 6, 6)
    assert row.priced
    assert row.removed > 0
    assert {key[:2] for key in row.lines} == {("proxy", "compression"), ("unclassified", "provider_cache")}


def test_the_ledgers_expectation_is_held_against_the_log():
    _, counts = play(working())
    assert counts.reported_input == play(working())[0].tokens
    assert counts.expected_read == pytest.approx(counts.reported_read, rel=0.1)


def test_compactions_and_sub_agents():
    log = working(turns=6)
    log.entry("system", subtype="compact_boundary", parent=None)
    log.user("what was done", 200, isCompactSummary=True)
    log.answer("msg_after", says("on"), second=210)
    log.user("look", 215, isSidechain=True, agentId="a", parent=None)
    log.answer("msg_agent", says("seen"), second=216, isSidechain=True, agentId="a")
    row, counts = play(log)
    assert counts.compactions == 1
    assert row.conversations == {"main", "agent a"}
    assert row.requests == 8


def test_what_cannot_be_read_as_a_request_is_counted():
    turns = [each for each in claude_code.turns(working(turns=2).raw(), "x") if isinstance(each, Turn)]
    garbled = msgspec.structs.replace(turns[0], items=(b"7",))
    (row,), counts = replayed(lambda: iter([garbled, turns[1]]), MEANS)
    assert (row.requests, counts.unread) == (1, 1)
