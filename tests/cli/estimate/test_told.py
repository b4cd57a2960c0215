import msgspec
import pytest

from tests.cli.estimate.test_rows import booked, cut, row
from tokenpak.cli.estimate.rows import Counts
from tokenpak.cli.estimate.told import Basis, estimate

BASIS = Basis("o200k_base", "2026-03-01+aa")


def told(*rows, counts=None, basis=BASIS):
    return estimate(list(rows), counts or Counts(), basis)


def sentence(found, words):
    (only,) = [each for each in found.unknown if words in each]
    return only


def test_a_session_as_it_is_told():
    found = told(row(booked(cut(), at=1772359200.0)))
    (session,) = found.sessions
    assert (session.began, session.conversations, session.models) == ("2026-03-01T10:00:00Z", 1, ("m",))
    assert (session.bill_nanos, session.saved_nanos, session.bill_share) == (100, 5, 0.05)
    assert msgspec.json.decode(msgspec.json.encode(found))["summary"]["sessions"] == 1


def test_no_price_is_null_and_not_nothing():
    (session,) = told(row(booked(bill=None))).sessions
    assert session.bill_nanos is session.saved_nanos is session.spread_nanos is session.bill_share is None


def test_heads_are_told_of_by_what_is_known():
    blind = row(booked())
    blind.with_usage = 0
    found = told(row(booked()), blind, basis=Basis("o200k_base", "p", head=9000))
    assert "For 1 sessions their size follows" in sentence(found, "System prompt and tools")
    assert "1 sessions hold no count" in sentence(found, "9,000 tokens (--head)")
    assert "flatters" in sentence(told(blind), "hold no count")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (Counts(broken={"line": 2, "long": 1}), "2 x line, 1 x long"),
        (Counts(copied=4), "4 answers stand in more than one file"),
        (Counts(unread=3), "3 requests could not be put together"),
        (Counts(compactions=2), "2 compactions"),
        (Counts(untimed=5), "5 requests have no time"),
        (Counts(expected_read=90, reported_read=50, reported_input=100), "Savings lean on that expectation"),
        (Counts(expected_read=90, reported_read=90, reported_input=100), "providers reported 90.0%."),
    ],
)
def test_every_count_has_its_sentence(counts, words):
    assert sentence(told(row(booked()), counts=counts), words)
    assert not [each for each in told(row(booked())).unknown if words in each]


def test_whose_usage_it_is():
    assert "ORIGINAL" in sentence(told(row(booked())), "provider's usage in the log")
    blind = row(booked())
    blind.with_usage = 0
    assert sentence(told(blind), "The bill of 1 requests is the ledger's estimate")


def test_without_a_vocabulary_it_says_what_to_do():
    assert "tokenpak vocabulary fetch" in sentence(
        told(row(booked()), basis=Basis("estimate", "p")), "come out too low"
    )
    assert not [each for each in told(row(booked())).unknown if "vocabulary" in each]
