import pytest

from tokenpak.cli.demonstration.bill import PRICES, Ledger, common, units
from tokenpak.core.patch import Format
from tokenpak.mock_provider.cache import Block, Used, prefixes
from tokenpak.mock_provider.session import session


class Letters:
    """A token a letter."""

    name = "letters"

    def __call__(self, text):
        return len(text)


def body(*texts, mark=True):
    blocks = [{"type": "text", "text": text} for text in texts]
    if mark:
        blocks[-1]["cache_control"] = {"type": "ephemeral"}
    return {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": blocks}]}


def test_a_bill_in_units_of_an_uncached_token():
    used = Used(uncached=100, read=1000, write_5m=80, write_1h=10)
    assert units(used, PRICES[Format.ANTHROPIC]) == pytest.approx(100 + 100 + 100 + 20)
    assert units(used, PRICES[Format.OPENAI_CHAT]) == pytest.approx(100 + 100 + 80 + 10)


def test_both_sides_are_billed_by_what_they_read_and_write():
    ledger = Ledger(Format.ANTHROPIC, Letters())
    long, short = "x" * 2000, "y" * 1100
    assert ledger.turn(body(long), body(short))
    assert ledger.turn(body(long, "more"), body(short, "more"))
    assert ledger.without.bill == pytest.approx(1.25 * 2004 + 0.1 * 2004 + 1.25 * 8)
    assert ledger.with_it.bill == pytest.approx(1.25 * 1104 + 0.1 * 1104 + 1.25 * 8)
    assert (ledger.without.tokens, ledger.without.last) == (2004 + 2012, 2012)
    assert (ledger.pairs, ledger.breaks) == (1, 0)


def test_a_prefix_break_is_seen_and_costs():
    ledger = Ledger(Format.ANTHROPIC, Letters())
    first, changed = "x" * 2000, "z" * 2000
    ledger.turn(body(first), body(first))
    assert not ledger.turn(body(first, "more"), body(changed, "more"))
    assert ledger.breaks == 1
    assert ledger.with_it.bill > ledger.without.bill


def test_a_break_that_the_client_makes_is_its_own():
    ledger = Ledger(Format.ANTHROPIC, Letters())
    ledger.turn(body("x" * 2000), body("x" * 2000))
    assert ledger.turn(body("summary"), body("summary"))
    assert ledger.breaks == 0


@pytest.mark.parametrize("style", ["claude-code", "chat", "responses"])
def test_a_session_is_mostly_read_from_the_cache(style):
    made = session(1, style)
    ledger = Ledger(Format(made.format), Letters())
    for request in made.requests():
        assert ledger.turn(request, request)
    assert ledger.without == ledger.with_it
    assert ledger.without.bill < 0.25 * ledger.without.tokens


def test_common_prefix():
    one, two = (prefixes(b"", [Block(key, "") for key in keys], lambda _: 1) for keys in ([b"a", b"b"], [b"a", b"c"]))
    assert common(one, two) == 1
    assert common(one, one) == 2
    assert common(one, []) == 0
