"""Accounts over whole conversations: order, time, who caused a miss, what is priced, and what is never told."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import agent_loop
from tests.core.agent_loop import MARK, SYSTEM, TOOLS, loop, on_last, request, text, user
from tests.core.readings import REPEATED, anthropic, responses, worked
from tests.services.accounting import MODEL, TABLE, Lab
from tokenpak.core import ledger, savings
from tokenpak.core.body import outline
from tokenpak.core.cost import cost
from tokenpak.core.ledger import Used
from tokenpak.core.patch import Footprint, Format, Trace
from tokenpak.core.replies.reading import Beside
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Observation, Usage
from tokenpak.services import accounts as module
from tokenpak.services.accounts import Account, Accounts, Told

PRICES = TABLE.find("anthropic", MODEL).prices
LONG = [text(SYSTEM * 3, MARK)]
"""A system text of some 5,000 tokens, marked."""


@pytest.fixture
def lab():
    return Lab()


def turn(steps, first="Mend the parser.", **more):
    """A request of a client that marks its head and its tail; long enough to be missed."""
    messages = loop(steps, first)
    messages[-1] = on_last(messages[-1])
    return request(messages, **{"system": LONG, **more})


def proxy(account):
    return [line for line in account.savings if line.cause == "proxy"]


# What is told


def test_a_conversation_the_client_marks_itself(lab):
    first, second = lab.send(turn(1)), lab.send(turn(2))
    assert first.savings == ()
    assert first.cache_origin is None
    assert first.expected.read == 0
    (line,) = second.savings
    assert (line.cause, line.mechanism, line.basis) == ("client", "provider_cache", "provider")
    assert second.cache_origin == "client"
    assert second.expected.read > 5000
    assert (second.miss, second.price_id) == (None, TABLE.id)


def test_what_a_reply_costs_is_the_providers_usage_times_the_price(lab):
    usage = Usage(1000, 8000, 2000, 1000, None, 500)
    account = lab.send(turn(1), usage)
    assert account.cost_nanos == cost(usage, PRICES)
    beside = (Beside("advisor", None, Usage(100, None, None, None, None, 10)),)
    more = lab.settle(lab.open(turn(1)), usage, beside=beside)
    assert more.cost_nanos == cost(usage, PRICES) + cost(beside[0].usage, PRICES)
    unknown = (msgspec.structs.replace(beside[0], model="nobody-knows"),)
    assert lab.settle(lab.open(turn(1)), usage, beside=unknown).cost_nanos is None


def test_searches_of_the_web_are_billed_by_the_piece(lab):
    usage, searched = Usage(100, None, None, None, None, 10), 2 * 10_000_000
    assert lab.settle(lab.open(turn(1)), usage, web_searches=0).cost_nanos == cost(usage, PRICES)
    assert lab.settle(lab.open(turn(1)), usage, web_searches=2).cost_nanos == cost(usage, PRICES) + searched
    seen = Observation(usage, MODEL, "provider", web_searches=2)
    (line,) = lab.accounts.recalled("anthropic", MODEL, seen).savings
    assert line.nanos == cost(usage, PRICES) + searched


def test_searches_without_a_price_leave_no_cost_and_no_saving_in_money(lab):
    seen = Observation(Usage(100, None, None, None, None, 10), "gpt-5", "provider", web_searches=2)
    settled = lab.accounts.settle(None, "openai", "gpt-5", seen)
    assert (settled.cost_nanos, settled.price_id) == (None, None)
    assert lab.accounts.statistics()["unpriced"] == 1
    (line,) = lab.accounts.recalled("openai", "gpt-5", seen).savings
    assert (line.nanos, line.spread_nanos) == (None, None)


def test_an_unknown_model_has_tokens_and_no_money(lab):
    opened = lab.open(turn(1).replace(MODEL.encode(), b"claude-of-next-year"))
    account = lab.settle(opened, Usage(10, 9000, 0, 0, None, 5))
    assert (account.cost_nanos, account.price_id) == (None, None)
    assert [(line.tokens, line.nanos) for line in account.savings] == [(9000, None)]
    assert lab.accounts.statistics()["unpriced"] == 1


def test_the_model_that_served_is_priced_and_no_other_in_its_place(lab):
    usage = Usage(1000, 0, 0, 0, None, 10)
    assert lab.settle(lab.open(turn(1)), usage, model=f"{MODEL}-20250929").cost_nanos == cost(usage, PRICES)
    assert lab.settle(lab.open(turn(1)), usage, model="something-else").cost_nanos is None
    assert lab.settle(lab.open(turn(1)), usage, model=None).cost_nanos == cost(usage, PRICES)
    own = msgspec.structs.replace(TABLE, overrides={MODEL: PRICES})
    accounts = Accounts(lambda: own, lab.clock)
    seen = Observation(usage, "vendor/of-ours", "provider")
    assert accounts.settle(None, "anthropic", MODEL, seen).cost_nanos == cost(usage, PRICES)


@pytest.mark.parametrize("basis", ["estimate", "count", None])
def test_only_what_a_provider_reported_is_priced_or_taught(lab, basis):
    lab.send(turn(1))
    before = lab.accounts.statistics()["models"]
    account = lab.settle(lab.open(turn(2)), Usage(99, 99, output=7), basis=basis)
    assert (account.cost_nanos, account.price_id, account.cache_origin, account.miss) == (None, None, None, None)
    assert account.savings == ()
    assert account.expected.read > 5000
    assert lab.accounts.statistics()["models"] == before


def test_a_stream_cut_before_its_usage_keeps_the_estimate_of_what_was_removed(lab):
    body = anthropic(REPEATED, REPEATED).replace(b'"m"', f'"{MODEL}"'.encode())
    opened = lab.open(body, forms=worked(body).forms)
    (line,) = lab.settle(opened, Usage(output=7), basis="estimate", truncated=True).savings
    assert (line.mechanism, line.basis) == ("compression", "estimate")
    assert line.tokens > 0
    assert line.nanos == savings.nanos_of(Used(uncached=line.tokens), PRICES)
    assert lab.settle(opened, Usage(), basis=None, error="overloaded_error").savings == ()  # billed to nobody


def test_a_reply_that_broke_off_has_no_cost_and_all_that_is_about_its_input():
    def settled(usage, *, truncated):
        lab = Lab()
        lab.send(turn(1))
        return lab.settle(lab.open(turn(2)), usage, truncated=truncated)

    whole, cut = settled(Usage(99, 5000, output=7), truncated=False), settled(Usage(99, 5000), truncated=True)
    assert whole.cost_nanos
    assert (cut.cost_nanos, cut.price_id) == (None, None)
    assert (cut.savings, cut.expected, cut.cache_origin) == (whole.savings, whole.expected, whole.cache_origin)
    assert cut.savings


def test_nothing_known_of_a_request_leaves_a_hit_unclassified(lab):
    settle = lab.accounts.settle
    assert settle(None, "anthropic", MODEL, Observation()) == Account()
    hit = settle(None, "anthropic", MODEL, Observation(Usage(10, 90, output=1), MODEL, "provider"))
    assert hit.cache_origin == "unknown"
    assert [(line.cause, line.tokens) for line in hit.savings] == [("unclassified", 90)]
    assert settle(None, "ollama", "q", Observation(Usage(10, output=1), "q", "provider")) == Account()


def test_of_a_provider_nothing_is_known_of_no_hit_is_expected(lab):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "a " * 9000}]}).encode()
    for _ in range(2):
        account = lab.send(body, Usage(4500, 0, output=1), fmt=Format.OPENAI_CHAT, provider="mine")
        assert (account.expected, account.miss, account.savings) == (None, None, ())
    told = lab.send(body, Usage(500, 4000, output=1), fmt=Format.OPENAI_CHAT, provider="mine")
    assert [(line.cause, line.tokens, line.nanos) for line in told.savings] == [("unclassified", 4000, None)]
    assert lab.accounts.learned.allows("m")


def test_openai_reads_in_steps(lab):
    body = responses("x " * 9000).replace(b'"m"', b'"gpt-4.1"')
    lab.send(body, fmt=Format.OPENAI_RESPONSES, provider="openai")
    account = lab.send(body, fmt=Format.OPENAI_RESPONSES, provider="openai")
    assert account.expected.read > 4000
    assert account.expected.read % 128 == 0
    assert account.cache_origin == "unknown"


def test_a_request_without_blocks_is_told_by_its_usage(lab):
    account = lab.send(json.dumps({"model": MODEL, "messages": []}).encode(), Usage(10, 90, output=1))
    assert [line.cause for line in account.savings] == ["unclassified"]


def test_what_our_own_cache_answered_saves_all_that_it_was_billed(lab):
    usage = Usage(1000, 8000, 0, 0, None, 500)
    account = lab.accounts.recalled("anthropic", MODEL, Observation(usage, MODEL, "provider"))
    assert (account.cache_origin, account.cost_nanos) == ("proxy", 0)
    assert account.savings == (SavingLine("proxy", "response_cache", "provider", 9500, cost(usage, PRICES), 0),)
    assert lab.accounts.recalled("anthropic", MODEL, Observation()) == Account(cache_origin="proxy", cost_nanos=0)
    (line,) = lab.accounts.recalled("mine", "m", Observation(usage, "m", "provider")).savings
    assert (line.tokens, line.nanos, line.spread_nanos) == (9500, None, None)


# Edits and marks of ours


def test_edits_of_ours_are_told_apart_from_the_clients_cache(lab):
    for results in ((REPEATED * 6,) * 2, (REPEATED * 6,) * 3):
        body = anthropic(*results, cache_control=MARK).replace(b'"m"', f'"{MODEL}"'.encode())
        account = lab.send(body, forms=worked(body).forms)
        (line,) = proxy(account)
        assert line.mechanism == "compression"
        assert line.tokens == sum(trace.saved for trace in worked(body).footprint.blocks)
    assert account.cache_origin == "client"
    assert [line.cause for line in account.savings] == ["proxy", "client"]


def test_marks_of_ours_first_cost_then_save(lab):
    (first,) = lab.send(agent_loop.plain(2), ours=(2, 6)).savings
    (second,) = lab.send(agent_loop.plain(3), ours=(2, 8)).savings
    assert (first.cause, first.mechanism) == (second.cause, second.mechanism) == ("proxy", "cache_marks")
    assert first.nanos < 0 < second.nanos
    assert lab.send(agent_loop.plain(4)).savings == ()  # none of ours, none of the client's: nothing is read


def test_a_hit_by_our_marks_alone_is_no_hit_of_the_clients(lab):
    lab.send(agent_loop.plain(2), ours=(2, 6))
    assert lab.send(agent_loop.plain(3), ours=(2, 8)).cache_origin == "unknown"


# Order and time


def test_a_request_reads_what_was_begun_before_it_whatever_is_settled_first(lab):
    one, two = lab.open(turn(1)), lab.open(turn(2))
    late = lab.settle(two)
    early = lab.settle(one)
    assert late.expected.read > 5000
    assert early.expected.read == 0
    assert (early.miss, late.miss) == (None, None)


def test_branches_of_a_conversation_at_the_same_time_miss_nothing(lab):
    lab.send(turn(1))
    branches = [[*loop(1), {"role": "assistant", "content": f"{n}"}, user(text(f"And {n}?", MARK))] for n in range(5)]
    opened = [lab.open(request(messages, LONG)) for messages in branches]
    accounts = [lab.settle(each) for each in reversed(opened)]
    assert {each.miss for each in accounts} == {None}
    assert all(each.expected.read > 5000 for each in accounts)


def test_a_read_renews_an_entry(lab):
    lab.send(turn(1))
    for _ in range(3):
        assert lab.send(turn(1), after_s=200).expected.read > 5000
    assert lab.send(turn(1), after_s=301).expected.read == 0


# Who caused a miss

NOTHING = Usage(6000, 0, 0, 0, None, 1)


def test_of_a_conversations_first_request_nothing_is_missed(lab):
    assert lab.send(turn(1), NOTHING).miss is None


def test_time_was_over(lab):
    lab.send(turn(1))
    account = lab.send(turn(2), after_s=301)
    assert account.miss == "expired"
    assert account.miss_tokens > 5000
    assert lab.accounts.statistics()["missed"] == 1


def test_the_provider_lost_it(lab):
    lab.send(turn(1))
    account = lab.send(turn(2), NOTHING)
    assert account.miss == "provider"
    assert lab.send(turn(3)).miss is None


def test_the_client_changed_what_stood_before(lab):
    lab.send(turn(30))
    changed = loop(31)
    changed[2] = user({"type": "tool_result", "tool_use_id": "toolu_0_0", "content": "[cleared]"})
    changed[-1] = on_last(changed[-1])
    assert lab.send(request(changed, LONG)).miss == "client_edit"


def test_the_client_changed_its_setting_or_takes_its_marks_away(lab):
    lab.send(turn(30))
    assert lab.send(turn(31, tool_choice={"type": "any"})).miss == "client_edit"
    lab.send(turn(30, first="Another."))
    assert lab.send(request(loop(31, "Another."), [text(SYSTEM * 3)])).miss == "client_edit"


def test_the_client_changed_its_tools(lab):
    lab.send(turn(1))
    account = lab.send(turn(2, tools=[*TOOLS, {"name": "late", "input_schema": {}}]))
    assert account.miss == "tools_changed"


def test_the_client_changed_its_model(lab):
    lab.send(turn(1))
    other = turn(2).replace(MODEL.encode(), b"claude-opus-4-1")
    assert lab.send(other).miss == "model_changed"


@pytest.mark.parametrize("model", [MODEL, "claude-haiku-4-5"])
def test_another_agent_that_begins_with_the_same_words_is_no_miss(lab, model):
    lab.send(turn(5))
    helper = request([user(text("Mend the parser.", MARK))], [text("You write titles. " * 900, MARK)])
    assert lab.send(helper.replace(MODEL.encode(), model.encode())).miss is None
    assert lab.send(turn(6)).miss is None


def test_we_broke_a_planned_form(lab):
    body = anthropic(*[REPEATED * 40] * 2, cache_control=MARK).replace(b'"m"', f'"{MODEL}"'.encode())
    forms = worked(body).forms
    lab.send(body, forms=forms)
    longer = anthropic(*[REPEATED * 40] * 2, "done", cache_control=MARK).replace(b'"m"', f'"{MODEL}"'.encode())
    assert lab.send(longer, forms=forms).miss is None
    planted = tuple(msgspec.structs.replace(form, changes=()) for form in forms)
    account = lab.send(longer, NOTHING, forms=planted)
    assert account.miss == "our_edit"


def test_a_provider_that_tells_nothing_of_a_cache_has_lost_nothing(lab):
    lab.send(turn(1))
    account = lab.send(turn(2), Usage(9000, output=1))
    assert (account.miss, account.miss_tokens, account.savings) == (None, None, ())


def test_a_token_that_is_worth_less_than_was_thought_is_no_miss(lab):
    """The first request is opened before anything is learned; its worth is known by the second."""
    for size in (0.7, 1.5):
        lab, read = Lab(), 0
        for steps in range(1, 12):
            opened = lab.open(turn(steps))
            total = sum(trace.tokens for trace in opened.told.footprint.blocks)
            usage = Usage(0, read, round(total * size) - read, 0, None, 1)
            assert lab.settle(opened, usage).miss is None
            read = round(total * size)
        assert lab.accounts.learned.allows(MODEL)


def test_what_was_left_is_told_by_its_own_reply_and_not_by_a_denser_tail(lab):
    first = lab.open(turn(2))
    left = round(0.7 * sum(trace.tokens for trace in first.told.footprint.blocks))
    lab.settle(first, Usage(0, 0, left, 0, None, 1))
    messages = loop(3)
    messages[-1] = user(text("0f" * 20_000, MARK))
    account = lab.send(request(messages, LONG), Usage(0, left, 25_000, 0, None, 1))
    assert account.miss is None
    assert lab.accounts.learned.allows(MODEL)


# Whatever a worker says

ANY = st.integers(-3, 2**40)
FOOTPRINTS = st.builds(
    Footprint,
    st.lists(
        st.builds(Trace, st.sampled_from([b"", b"a" * 16, b"b"]), st.binary(max_size=2), ANY, ANY), max_size=5
    ).map(tuple),
    st.integers(-2, 6),
    st.lists(st.tuples(st.integers(-2, 6), st.sampled_from(["5m", "1h"])), max_size=3).map(tuple),
)
COUNTS = st.none() | st.integers(0, 2**50)
OBSERVED = st.builds(
    Observation,
    st.builds(Usage, *[COUNTS] * 7),
    st.none() | st.sampled_from([MODEL, "gpt-4.1", ""]),
    st.sampled_from(["provider", "count", "estimate", None]),
    st.booleans(),
    st.none() | st.just("overloaded_error"),
)
TOLD = st.tuples(
    st.sampled_from(["anthropic", "openai", "google", "mine"]),
    FOOTPRINTS,
    st.lists(st.integers(-2, 6), max_size=2),
    COUNTS,
)


@given(st.lists(st.tuples(TOLD, OBSERVED), max_size=6), st.randoms(use_true_random=False))
def test_no_footprint_and_no_reply_fails_a_request(requests, rng):
    lab = Lab()
    about = outline(Format.ANTHROPIC, json.dumps({"model": MODEL, "messages": []}).encode())
    opened = [
        lab.accounts.open(Told(provider, "h", about, told, tuple(ours), 0, counted))
        for (provider, told, ours, counted), _ in requests
    ]
    pairs = list(zip(opened, (seen for _, seen in requests), strict=True))
    rng.shuffle(pairs)
    for each, seen in pairs:
        account = lab.accounts.settle(each, each.told.provider, MODEL, seen)
        assert seen.basis == "provider" or account.cost_nanos is None
        assert account.cost_nanos is None or account.cost_nanos >= 0
    assert isinstance(lab.accounts.learned.allows(MODEL), bool)


# Scope


@pytest.mark.parametrize("more", [{"provider": "google"}, {"credential": 7}])
def test_caches_are_those_of_who_pays(lab, more):
    lab.send(turn(1))
    account = lab.send(turn(2), **more)
    assert account.expected is None or account.expected.read == 0
    assert account.miss is None


def test_a_cache_key_of_the_clients_parts_caches(lab):
    def keyed(key):
        return json.dumps({"model": "gpt-4.1", "input": "a " * 9000, "prompt_cache_key": key}).encode()

    lab.send(keyed("a"), fmt=Format.OPENAI_RESPONSES, provider="openai")
    assert lab.send(keyed("b"), fmt=Format.OPENAI_RESPONSES, provider="openai").expected.read == 0
    assert lab.send(keyed("a"), fmt=Format.OPENAI_RESPONSES, provider="openai").expected.read > 4000


def test_what_is_remembered_has_bounds(lab, monkeypatch):
    for name in ("ENTRIES", "ENDS", "CONVERSATIONS"):
        monkeypatch.setattr(module, name, 5)
    lab = Lab()
    for number in range(20):
        lab.send(turn(1, first=f"Task {number}."))
    assert lab.accounts.statistics()["entries"] == 10
    assert len(lab.accounts._ends) == len(lab.accounts._latest) == 5
    assert lab.send(turn(2, first="Task 0.")).miss is None


def test_what_is_held_of_a_credential_is_no_credential(lab):
    opened = lab.open(turn(1), credential=hash((b"sk-ant-secret", None)))
    assert b"secret" not in repr(opened).encode()
    assert len(opened.setting.scope) == 16


def test_lines_are_what_a_row_holds():
    assert SavingLine.__struct_fields__ == ("cause", "mechanism", "basis", "tokens", "nanos", "spread_nanos")
    assert ledger.rules_of("mine", MODEL) is None
