"""The mapping from a row to an event: what each fact becomes, and that nothing is claimed which the row does not say."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_lab import name_of, pair

from tokenpak.core.refusal import Fault
from tokenpak.core.savings import Cause, Mechanism, SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import PassTally
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.queries import Reader, StoredRequest
from tokenpak.telemetry.tip_events import CODES, OwnFacts, is_over, tip_event
from tokenpak.tip.capabilities import BYTES_PRESERVED, CACHE_OBSERVER, COMPRESSION, LABELS, WIRE_TELEMETRY
from tokenpak.tip.errors import RESERVED
from tokenpak.tip.event import TelemetryEvent

ABSENT = msgspec.UNSET
SAVINGS = ("savings_tokens", "savings_cost", "savings_cache_tokens", "savings_cache_cost")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The row of `store_lab`, as the store gives it."""
    place = tmp_path_factory.mktemp("tip") / "store.db"
    book = Book(place)
    assert book.commit(pair(1))
    book.close()
    with Reader(place) as reader:
        return reader.by_id(name_of(1))


@pytest.fixture
def row(stored):
    """It, changed."""
    return lambda **more: msgspec.structs.replace(stored, **more)


def line(cause, mechanism, tokens=100, nanos=2_500_000, basis="provider"):
    return SavingLine(cause, mechanism, basis, tokens, nanos, None)


def own(event):
    return msgspec.convert(event.ext["tokenpak"], OwnFacts)


def claimed(event):
    return {name: value for name in SAVINGS if (value := getattr(event, name)) is not ABSENT}


def test_a_whole_row(row):
    event = tip_event(row())
    assert (event.request_id, event.timestamp) == ("client-1", "1970-01-01T00:00:00.001000Z")
    assert (event.tip_version, event.profile) == ("TIP-1.0", "tip-proxy")
    assert (event.provider, event.model, event.client) == ("anthropic", "served", "claude-code")
    assert (event.status, event.error_code) == (200, None)
    assert (event.tokens_in, event.tokens_out, event.total_billable_tokens) == (150, 60, 210)
    assert (event.reasoning_tokens, event.visible_output_tokens) == (7, 53)
    assert event.reasoning_usage_source == "provider_usage_object"
    assert (event.compression_ms, event.proxy_ms, event.provider_ms) == (2.0, 2.5, 400.0)
    assert event.capabilities_negotiated == (COMPRESSION, CACHE_OBSERVER, WIRE_TELEMETRY)
    facts = own(event)
    assert (facts.id, facts.state, facts.passes) == (name_of(1), "done", {"line-runs": PassTally(3, 90)})
    assert facts.usage == Usage(10, 20, 30, 40, 50, 60, 7)


def test_an_event_is_one_after_writing_and_reading(row):
    event = tip_event(
        row(savings=(line("proxy", "compression"),), cost_nanos=5, price_id="p", miss="ttl", web_searches=3)
    )
    read = msgspec.json.decode(msgspec.json.encode(event), type=TelemetryEvent)
    assert msgspec.structs.replace(read, ext=None) == msgspec.structs.replace(event, ext=None)
    assert own(read) == own(event)
    assert (own(event).cost_nanos, own(event).price_id, own(event).miss) == (5, "p", "ttl")
    assert own(event).web_searches == 3


def test_a_row_that_knows_nothing_claims_nothing(row):
    nothing = dict.fromkeys(StoredRequest.__struct_fields__)
    least = {"id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "front": "f", "state": "interrupted"}
    event = tip_event(row(**(nothing | least | {"usage": Usage(), "passes": {}, "savings": ()})))
    assert msgspec.json.decode(msgspec.json.encode({**msgspec.to_builtins(event), "ext": None})) == {
        "request_id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "timestamp": "2022-02-22T19:22:22.000000Z",
        "cache_origin": "unknown",
        "tip_version": "TIP-1.0",
        "profile": "tip-proxy",
        "provider": None,
        "model": None,
        "client": None,
        "status": 0,
        "error_code": "ext.tokenpak.interrupted",
        "reasoning_tokens": None,
        "visible_output_tokens": None,
        "total_billable_tokens": None,
        "reasoning_usage_source": "unavailable",
        "capabilities_negotiated": ["tip.telemetry.wire-side"],
        "ext": None,
    }


def test_a_request_that_was_never_sent_has_no_provider(row):
    event = tip_event(row(attempts=0))
    assert (event.provider, event.model) == (None, None)


def test_a_question_for_a_count_used_nothing(row):
    event = tip_event(row(usage_basis="count"))
    assert (event.tokens_in, event.tokens_out) == (ABSENT, ABSENT)
    assert (event.total_billable_tokens, event.reasoning_tokens) == (None, None)
    assert (event.reasoning_usage_source, event.cache_origin) == ("unavailable", "unknown")
    assert CACHE_OBSERVER not in event.capabilities_negotiated


def test_usage_without_reasoning_and_in_part(row):
    event = tip_event(row(usage=Usage(uncached=5)))
    assert (event.tokens_in, event.tokens_out, event.total_billable_tokens) == (5, ABSENT, None)
    assert (event.reasoning_tokens, event.visible_output_tokens, event.reasoning_usage_source) == (None, None, None)


# DESIGN section 5: who may be said to have saved what


@pytest.mark.parametrize(
    ("what", "facts", "origin", "figures"),
    [
        ("no cache tokens", {"usage": Usage(uncached=9, output=1)}, "unknown", {}),
        (
            "the client's marks, and a hit",
            {"savings": (line("client", "provider_cache"),)},
            "client",
            {"savings_cache_tokens": 100, "savings_cache_cost": 0.0025},
        ),
        (
            "a provider's automatic cache, on a body as it came",
            {"passes": {}, "savings": (line("client", "provider_cache"),)},
            "client",
            {"savings_cache_tokens": 100, "savings_cache_cost": 0.0025},
        ),
        ("a hit nobody can be said to have caused", {"savings": (line("unclassified", "provider_cache"),)}, "client", {}),
        (
            "our own cache",
            {
                "attempts": 0,
                "usage": Usage(),
                "usage_basis": None,
                "cache_origin": "proxy",
                "savings": (line("proxy", "response_cache"), line("client", "provider_cache", 7, 7)),
            },
            "proxy",
            {"savings_cache_tokens": 100, "savings_cache_cost": 0.0025},
        ),
        ("marks of ours: a provider's cache all the same", {"savings": (line("proxy", "cache_marks"),)}, "client", {}),
        (
            "an upstream's 500",
            {"status": 500, "usage": Usage(), "usage_basis": None, "savings": ()},
            "unknown",
            {},
        ),
        (
            "compression beside a hit: two fields, no sum",
            {"savings": (line("proxy", "compression", 7, 3000), line("client", "provider_cache"))},
            "client",
            {
                "savings_tokens": 7,
                "savings_cost": 0.000003,
                "savings_cache_tokens": 100,
                "savings_cache_cost": 0.0025,
            },
        ),
        ("a client's own compression", {"savings": (line("client", "compression"),)}, "client", {}),
        ("routing", {"savings": (line("proxy", "routing"),)}, "client", {}),
        (
            "an origin that is not known takes no cache saving",
            {"cache_origin": "unknown", "savings": (line("client", "provider_cache"),)},
            "unknown",
            {},
        ),
        (
            "tokens without a price",
            {"savings": (line("proxy", "compression", 7, None),)},
            "client",
            {"savings_tokens": 7},
        ),
        ("a loss has no place in a field that begins at 0", {"savings": (line("proxy", "compression", -7, -3),)}, "client", {}),
        (
            "two bases are not added",
            {"savings": (line("proxy", "compression"), line("proxy", "compression", basis="estimate"))},
            "client",
            {},
        ),
        ("passes that took tokens out, and no ledger", {}, "client", {}),
    ],
)  # fmt: skip
def test_attribution(row, what, facts, origin, figures):
    event = tip_event(row(**facts))
    assert (event.cache_origin, claimed(event)) == (origin, figures), what
    assert own(event).savings == facts.get("savings", ())


LINES = st.lists(
    st.builds(
        line,
        st.sampled_from(get_args(Cause)),
        st.sampled_from(get_args(Mechanism)),
        st.one_of(st.none(), st.integers(-(10**9), 10**9)),
        st.one_of(st.none(), st.integers(-(10**15), 10**15)),
    ),
    max_size=6,
)


@given(LINES, st.sampled_from(["proxy", "client", "unknown", None]), st.sampled_from([Usage(), Usage(cache_read=1)]))
def test_no_figure_is_there_that_is_not_one_line_of_the_ledger(stored, lines, origin, usage):
    event = tip_event(msgspec.structs.replace(stored, savings=tuple(lines), cache_origin=origin, usage=usage))
    for name, value in claimed(event).items():
        figures = [each.nanos / 1e9 if "cost" in name and each.nanos is not None else each.tokens for each in lines]
        assert value in figures
    msgspec.json.decode(msgspec.json.encode(event), type=TelemetryEvent)


# Errors


@pytest.mark.parametrize("fault", get_args(Fault))
def test_each_fault_has_a_code_of_the_protocol_or_one_of_ours(row, fault):
    code = tip_event(row(error_code=fault, state="refused", status=503)).error_code
    assert code == CODES.get(fault, f"ext.tokenpak.{fault.replace('_', '-')}")


def test_codes_of_the_protocol_are_reserved_ones():
    assert set(CODES) <= set(get_args(Fault))
    assert set(CODES.values()) <= RESERVED


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"status": 200}, None),
        ({"status": 304}, None),
        ({"status": 401, "error_code": "authentication_error"}, "tip.auth.invalid-credentials"),
        ({"status": 429}, "tip.policy.rate-limited"),
        ({"status": 529, "error_code": "overloaded_error"}, "ext.tokenpak.provider-overloaded-error"),
        ({"status": 500}, "ext.tokenpak.provider-500"),
        ({"status": 200, "error_code": "api_error"}, "ext.tokenpak.provider-api-error"),
        ({"status": 200, "error_code": "truncated"}, "ext.tokenpak.truncated"),
        ({"status": 200, "state": "client_gone"}, "tip.transport.connection-lost"),
        ({"status": 200, "state": "upstream_failed"}, "tip.transport.connection-lost"),
        ({"status": None, "state": "interrupted"}, "ext.tokenpak.interrupted"),
    ],
)
def test_how_a_request_failed(row, facts, code):
    assert tip_event(row(**facts)).error_code == code


# Capabilities at work


@pytest.mark.parametrize(
    ("facts", "labels"),
    [
        ({"compression": "planned"}, (COMPRESSION, CACHE_OBSERVER, WIRE_TELEMETRY)),
        (
            {"compression": "literal", "passes": {}, "bytes_after": 1000},
            (BYTES_PRESERVED, CACHE_OBSERVER, WIRE_TELEMETRY),
        ),
        (
            {"compression": "literal", "passes": {"cache-marks": PassTally(1, 0)}, "bytes_after": 1000},
            (CACHE_OBSERVER, WIRE_TELEMETRY),
        ),
        ({"compression": "literal", "passes": {}}, (CACHE_OBSERVER, WIRE_TELEMETRY)),
        ({"compression": "unread", "passes": {}, "attempts": 0, "usage_basis": None}, (WIRE_TELEMETRY,)),
    ],
)
def test_what_was_at_work(row, facts, labels):
    assert tip_event(row(**facts)).capabilities_negotiated == labels
    assert set(labels) <= set(LABELS)


def test_a_request_that_is_under_way_has_no_event_yet(row):
    assert not is_over(row(state="open"))
    assert all(is_over(row(state=state)) for state in ("done", "refused", "client_gone", "interrupted"))
