import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.cli.estimate.rows import Booked, Counts, Row, Worst, book, counted, merged, summed
from tokenpak.core.savings import SavingLine


def cut(tokens=10, nanos=5, spread=1):
    return SavingLine("proxy", "compression", "estimate", tokens, nanos, spread)


def booked(*lines, model="m", bill=100, original=1000, at=None, conversation="main"):
    return Booked(model, conversation, at, original, 7, True, False, bill, lines)


def row(*requests, session="s"):
    out = Row(session, "agent")
    for each in requests:
        book(out, each)
    return out


def test_a_request_adds_to_its_session():
    found = row(booked(at=5.0), booked(cut(), at=3.0, original=3000, conversation="agent"))
    assert (found.requests, found.edited, found.with_usage, found.tokens, found.removed) == (2, 1, 2, 4000, 10)
    assert (found.began, found.ended, found.conversations, found.missing) == (3.0, 5.0, {"main", "agent"}, 7)
    assert (found.largest, found.largest_removed) == (3000, 10)
    assert (found.bill_nanos, found.saved_nanos, found.spread_nanos, found.bill_share) == (200, 5, 1, 5 / 200)


def test_what_has_no_price_is_in_no_sum_of_money():
    found = row(booked(cut(nanos=None, spread=None), bill=None), booked(cut(), model="n"))
    assert found.unpriced_models == {"m": 1}
    assert (found.bill_nanos, found.saved_nanos, found.removed) == (100, 5, 20)
    alone = row(booked(cut(nanos=None, spread=None), bill=None))
    assert alone.bill_share is None
    assert not alone.priced
    assert summed([alone]).bill_nanos is None
    assert summed([alone]).unpriced == {"m": 1}


def test_the_worst_moment_is_the_lowest_sum_so_far():
    found = row(booked(), booked(cut(nanos=-30)), booked(cut(nanos=50)))
    assert found.worst == Worst(2, -30, -30 / 200)
    assert summed([found]).dearer == 1
    assert row(booked(cut(nanos=9)), booked(cut(nanos=-1))).worst.nanos == 8


def test_lines_stay_apart():
    marks = SavingLine("proxy", "cache_marks", "estimate", 1, 70, 0)
    hit = SavingLine("client", "provider_cache", "provider", 500, 900, 0)
    found = summed([row(booked(cut(), marks, hit)), row(booked(cut(), hit), session="t")])
    assert [(line.cause, line.mechanism, line.requests, line.nanos) for line in found.lines] == [
        ("client", "provider_cache", 2, 1800),
        ("proxy", "cache_marks", 1, 70),
        ("proxy", "compression", 2, 10),
    ]
    assert found.saved_nanos == 10


def test_files_of_one_session_are_one_row():
    one, other = (
        row(booked(at=9.0), booked(cut())),
        row(booked(cut(nanos=-3), at=4.0, model="n", bill=None), booked(cut(nanos=-3))),
    )
    (found,) = merged([one, other])
    assert (found.requests, found.tokens, found.removed, found.began) == (4, 4000, 30, 4.0)
    assert found.models == {"m": 3, "n": 1}
    assert found.unpriced_models == {"n": 1}
    assert found.worst.nanos == -3
    (line,) = found.lines.values()
    assert line.requests == 3
    assert [each.session for each in merged([row(booked(at=9.0), session="b"), row(booked(at=4.0), session="c")])] == [
        "c",
        "b",
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-50, 50), st.integers(1, 500)), min_size=1, max_size=30))
def test_it_is_the_same_in_one_file_or_in_many(requests):
    """What is added up does not depend on how sessions are spread over files."""
    whole, parts = {}, []
    for session, nanos, tokens in requests:
        each = booked(cut(tokens, nanos), original=1000 + tokens)
        book(whole.setdefault(session, Row(str(session), "agent")), each)
        parts.append(row(each, session=str(session)))
    left, right = summed(merged(whole.values())), summed(merged(parts))
    for name in (
        "sessions",
        "requests",
        "tokens",
        "removed",
        "bill_nanos",
        "saved_nanos",
        "spread_nanos",
        "lines",
        "median_bill_share",
    ):
        assert getattr(left, name) == getattr(right, name)


def test_median_worst_and_sessions_without():
    rows = [row(booked(cut(nanos=each)), session=str(each)) for each in (10, 20, 40)] + [row(booked(), session="0")]
    found = summed(rows)
    assert (found.worst_session, found.worst_share, found.without) == ("0", 0.0, 1)
    assert found.median_bill_share == pytest.approx(0.15)
    assert found.bill_share == 70 / 400


def test_counts_add_up():
    found = counted([Counts(files=1, broken={"line": 2}), Counts(files=1, broken={"line": 1, "long": 1}, copied=3)])
    assert (found.files, found.broken, found.copied) == (2, {"line": 3, "long": 1}, 3)


def test_nothing_is_nothing():
    found = summed([])
    assert (found.sessions, found.bill_share, found.median_token_share, found.worst_session) == (0, None, None, None)
