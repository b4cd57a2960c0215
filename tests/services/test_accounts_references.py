"""The ledger and the accounts against two references that were not written with them, on recorded sessions.

`bench/billing.py` by its marked and its ideal view, and the cache that `bench/mock_upstream.py --cache-sim` simulates: the
ledger, fed with their own sized blocks, must give every class of every turn. Then the whole path, from a body to an
account, is held against the yardstick's two bills. A few sessions by default, every one under `long`.
"""

import argparse
import importlib
import json
import statistics
from types import ModuleType

import pytest
from shared_place import shared

from tests.bench.played import FORMATS, MODELS, Sizes, bench, counters
from tests.services import billed
from tests.services.billed import TABLE, Classes, Front
from tokenpak.core import ledger, savings
from tokenpak.core.ledger import ANTHROPIC, OPENAI, Block, Prompt, Used
from tokenpak.core.usage import Usage

FEW = ("cc-entire-09", "codex-hk-c", "sweagent-ctf-web", "tau-airline-33")
PATHS = [
    pytest.param(path, id=path.stem, marks=[] if path.stem in FEW else [pytest.mark.long])
    for path in (billed.sessions() if shared() else [])
]
MARKERS = pytest.mark.parametrize("markers", [True, False], ids=["marked", "unmarked"])


@pytest.fixture(autouse=True, scope="module")
def _vocabulary():
    """Both sides count with the tokenizer."""
    try:
        counters()
    except SystemExit as missing:
        pytest.skip(str(missing))


def recorded(path):
    session = json.loads(path.read_bytes())
    return session, session.get("format", "anthropic")


def rules_of(wire):
    return {"anthropic": ANTHROPIC, "openai": OPENAI}[wire]


@MARKERS
@pytest.mark.parametrize("path", PATHS)
def test_every_class_of_every_turn_is_the_yardsticks(path, markers):
    session, wire = recorded(path)
    view, sizes, cache, turns = Classes(wire, MODELS[wire]), Sizes(), {}, 0
    for raw in billed.bodies(session, markers=markers, head=28_000):
        sized = sizes(raw)
        prompt = Prompt(tuple(Block(key, tokens, mark or None) for key, tokens, mark in sized))
        used, cache = ledger.turn(cache, prompt, rules_of(wire), 0.0)
        if wire == "openai":  # the yardstick's ideal view knows the request before, and no other
            cache = ledger.turn({}, prompt, rules_of(wire), 0.0)[1]
        assert used == view(sized), turns
        turns += 1
    assert turns


@pytest.fixture(scope="module")
def mock() -> ModuleType:
    """The mock provider, which has `bench/` on its path by now."""
    for name in ("orjson", "uvloop", "httptools"):
        pytest.importorskip(name)
    assert bench()
    return importlib.import_module("mock_upstream")


def simulated(mock):
    asked = argparse.Namespace(chunks=1, interval_ms=0, delay_ms=0, record=False, dump=None, cache_sim=True)
    return mock.State(asked)


@MARKERS
@pytest.mark.parametrize("path", PATHS)
def test_every_class_of_every_turn_is_the_simulated_providers(path, markers, mock):
    session, wire = recorded(path)
    state, cache = simulated(mock), {}
    for turn, raw in enumerate(billed.bodies(session, markers=markers, head=28_000)):
        body = json.loads(raw)
        blocks = tuple(
            Block(bytes(key), max(1, len(key) // 4), "5m" if mark else None) for key, mark in mock.blocks_of(body)
        )
        used, cache = ledger.turn(cache, Prompt(blocks), rules_of(wire), 0.0)
        uncached, read, write = mock.simulate_cache(state, body, wire == "anthropic")
        assert used == Used(uncached, read, write), turn


@MARKERS
@pytest.mark.parametrize("path", PATHS)
def test_an_account_is_within_its_own_spread_of_the_yardsticks_bills(path, markers):
    _, wire = recorded(path)
    prices = TABLE.find(wire, MODELS[wire]).prices
    told = dict.fromkeys(("compression", "cache_marks"), 0)
    true, spread, misses = dict(told), 0, 0
    for turn in billed.play(path, markers=markers):
        original, compressed, sent = (
            savings.nanos_of(used, prices) for used in (turn.original, turn.compressed, turn.sent)
        )
        true["compression"] += original - compressed
        true["cache_marks"] += compressed - sent
        for line in turn.account.savings:
            if line.cause == "proxy":
                told[line.mechanism] += line.nanos
                spread += line.spread_nanos * (line.mechanism == "compression")
        misses += turn.account.miss is not None
    off = told["compression"] - true["compression"]
    if true["compression"]:
        print(f"{path.stem}: {off / true['compression']:+.1%}, its own ± {spread / true['compression']:.1%}")
    assert abs(off) <= spread
    assert told["cache_marks"] == true["cache_marks"]  # what was billed is known, and so is what it would have been
    assert misses <= 1  # nobody changed anything, and nothing ran out


@pytest.mark.parametrize("path", PATHS)
def test_a_simulated_provider_drifts_from_no_expectation(path, mock):
    """Its tokens are bytes of JSON, its keys are not ours; what it reads is what was expected, within a few blocks."""
    session, wire = recorded(path)
    front, state, off = Front(FORMATS[wire], MODELS[wire]), simulated(mock), []
    for raw in billed.bodies(session, markers=True, head=28_000):
        _, sent, settle = front.send(raw, wire)
        uncached, read, write = mock.simulate_cache(state, json.loads(sent), wire == "anthropic")
        account = settle(Usage(uncached, read, write, 0, None, 24))
        off.append(abs(account.expected.read - read) / (uncached + read + write))
        assert front.accounts.learned.allows(front.model)
    assert statistics.mean(off) < 0.05
