import msgspec
import pytest
from money_lab import HOUR_NS, told

from tokenpak.control.farewell import WINDOW, LongSession, long_sessions
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.queries import Reader

NOW = 480_000 * HOUR_NS


def used(tokens):
    return msgspec.structs.replace(Usage(*[None] * 7), uncached=tokens, output=5)


def saved(tokens):
    return (SavingLine("proxy", "compression", "estimate", tokens, 5_000, 500),)


@pytest.fixture
def sessions(tmp_path):
    book, number = Book(tmp_path / "tokenpak.db"), 0

    def after(*requests):
        nonlocal number
        for session, tokens, savings, age_h in requests:
            number += 1
            opening = {"session": session, "model_asked": "m"}
            close = {"usage": used(tokens), "savings": savings, "model_served": "m", "passes": {}}
            book.commit(told(number, NOW - age_h * HOUR_NS, opening, **close))
        with Reader(tmp_path / "tokenpak.db") as reader:
            return long_sessions(reader, NOW)

    yield after
    book.close()


def test_a_session_that_only_fits_because_it_is_shortened(sessions):
    (found,) = sessions(("long", WINDOW - 10_000, saved(30_000), 1), ("short", 1_000, saved(500), 1))
    assert found == LongSession("long", "claude-code", "m", WINDOW - 10_000, WINDOW + 20_000)


def test_what_was_never_shortened_is_no_reason_to_warn(sessions):
    assert sessions(("long", WINDOW + 50_000, (), 1)) == ()


def test_the_latest_request_counts_and_an_old_session_does_not(sessions):
    compacted = ("s", 5_000, saved(100), 1)
    assert sessions(("s", WINDOW, saved(30_000), 3), compacted, ("old", WINDOW, saved(30_000), 30)) == ()


def test_the_longest_comes_first_and_one_without_a_count_is_not_guessed(sessions):
    found = sessions(
        ("a", WINDOW, saved(10), 1),
        ("b", WINDOW, saved(90), 1),
        ("c", None, saved(10**6), 1),
        (None, WINDOW, saved(9), 1),
    )
    assert [each.session for each in found] == ["b", "a"]
