"""What a user allows to be spent, and whether one more request may be sent.

Money is nano-dollars, whole numbers. A request takes its worst case before it leaves (`reserve`) and gives back what it
did not cost at its end (`settle`); between the two, others see it as spent. That is what keeps two requests that come at
once from both taking the last cent, whoever asks first.

The difficulty is not to make money up in either direction. A model without a price costs what the user states for such
requests, and without such a statement it may not be used under a limit: unknown is never free. And a worst case is many
times what a request comes to. So there are two limits: `block` looks at what is spent, and can be passed by what is under
way at that moment; `ceiling` counts every request at the worst that its bytes tell of, and can be passed only by what a
provider adds by itself: searches of the web and what they find, files and conversations that it keeps.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from tokenpak.core.cost import INPUT, PICO_IN_NANO, ModelPrices, at_length, price_of_class
from tokenpak.core.rules import matches

Per = Literal["session", "client", "day", "month"]
"""What a budget is counted for. day, month: all requests it fits, together. client: each client by itself, a day.
session: each conversation by itself, a month. Days and months are those of the user's own calendar."""

NANOS: Final = 1_000_000_000
"""In a dollar."""
UNBOUNDED_OUTPUT: Final = 32_000
"""Output tokens taken for a request that states no bound."""
BYTES_PER_TOKEN: Final = 3
"""Bytes of a body that stand for one token at worst, where its blocks are not known; text has about four."""
MARGIN: Final = 1.5
"""By how much a request may have more tokens than were estimated from its blocks; `savings.Scale` knows 1.35."""


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A limit, in nano-dollars. client, model: patterns as in rules; None fits any.

    warn: told of, from there on. block: no new request once so much is spent. ceiling: no request that could, at its worst
    and with all that are under way at theirs, lead beyond. unpriced: what a request without a price counts as; None: under
    block or ceiling it is refused.
    """

    name: str
    per: Per = "day"
    client: str | None = None
    model: str | None = None
    warn: int | None = None
    block: int | None = None
    ceiling: int | None = None
    unpriced: int | None = None

    @property
    def limits(self) -> bool:
        """Whether it can refuse a request."""
        return self.block is not None or self.ceiling is not None


_FREE = re.compile(
    r"count_?tokens|/(?:files|uploads|moderations|models)(?:/[^:]*)?$|/(?:cancel|archive)$"
    r"|/api/(?:show|tags|ps|version|pull|push|create|copy|blobs|delete)\b",
    re.IGNORECASE,
)


def is_billed(method: str, path: str) -> bool:
    """False for requests that no provider bills: questions for a list or a count, management of files."""
    return method == "POST" and _FREE.search(path) is None


class Payer(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Who spends on what, and when. day: YYYY-MM-DD where the user is. client, session, model: as told; "" if not."""

    day: str
    client: str = ""
    session: str = ""
    model: str = ""


class Purse(NamedTuple):
    """Nano-dollars of one budget in one scope. spent: settled. held: reserved by requests that are under way."""

    spent: int = 0
    held: int = 0


class Asked(NamedTuple):
    """A budget that a request falls under, and what is in it."""

    budget: Budget
    purse: Purse


class Admitted(NamedTuple):
    """The request may be sent."""


class Warned(NamedTuple):
    """It may be sent; these budgets are past what they warn at, or cannot price it."""

    budgets: tuple[str, ...]


class Refused(NamedTuple):
    """It may not. budget: whose limit it is. why: one word. limit, spent: nano-dollars; spent includes what is held where
    the limit is a ceiling. worst: what the request could cost; None without a price.
    """

    budget: Budget
    why: Literal["block", "ceiling", "unpriced"]
    limit: int
    spent: int
    worst: int | None


Verdict = Admitted | Warned | Refused


def scope_of(budget: Budget, payer: Payer) -> str | None:
    """What a payer's request is counted under; None where the budget is not for it."""
    if not matches(budget.client, payer.client) or not matches(budget.model, payer.model):
        return None
    month = payer.day[:7]
    match budget.per:
        case "day":
            return payer.day
        case "month":
            return month
        case "client":
            return f"{payer.day}\n{payer.client}"
        case "session":
            return f"{month}\n{payer.session}"


def decide(asked: Iterable[Asked], worst: int | None) -> Verdict:
    """Whether a request may be sent that costs `worst` at most (None: it has no price). The first refusal counts."""
    past: list[str] = []
    for budget, purse in asked:
        refused = _refused(budget, purse, worst)
        if refused is not None:
            return refused
        taken = amount(budget, worst)
        if taken is None or (budget.warn is not None and purse.spent >= budget.warn):
            past.append(budget.name)
    return Warned(tuple(past)) if past else Admitted()


def amount(budget: Budget, nanos: int | None) -> int | None:
    """What a request counts as under a budget; None: it has no price, and none is stated for such."""
    return budget.unpriced if nanos is None else nanos


def reserve(purse: Purse, budget: Budget, worst: int | None) -> Purse:
    """With a request on its way."""
    return Purse(purse.spent, purse.held + (amount(budget, worst) or 0))


def settle(purse: Purse, budget: Budget, worst: int | None, cost: int | None) -> Purse:
    """With that request ended, for what it cost: 0 for one that was not sent, None without a price."""
    return Purse(purse.spent + (amount(budget, cost) or 0), purse.held - (amount(budget, worst) or 0))


def worst_case(prices: ModelPrices, input_tokens: int, max_tokens: int | None) -> int | None:
    """The most a request can cost: all its input in the dearest class, its output up to its bound. None without a price."""
    prices = at_length(prices, input_tokens)
    known = [price for name in INPUT if (price := price_of_class(prices, name)) is not None]
    if prices.uncached is None:
        return None
    bound = UNBOUNDED_OUTPUT if max_tokens is None else max(0, max_tokens)
    pico = input_tokens * max(known) + bound * (prices.output or 0)
    return -(-pico // PICO_IN_NANO)


def most_tokens(estimated: Sequence[int] | None, size: int) -> int:
    """Input tokens at worst: of a body whose blocks are estimated at so many each, or else of one of so many bytes."""
    return -(-size // BYTES_PER_TOKEN) if estimated is None else int(sum(estimated) * MARGIN) + 1


def _refused(budget: Budget, purse: Purse, worst: int | None) -> Refused | None:
    taken = amount(budget, worst)
    if taken is None and budget.limits:
        return Refused(budget, "unpriced", budget.ceiling or budget.block or 0, purse.spent, None)
    if budget.block is not None and purse.spent >= budget.block:
        return Refused(budget, "block", budget.block, purse.spent, worst)
    if budget.ceiling is not None and purse.spent + purse.held + (taken or 0) > budget.ceiling:
        return Refused(budget, "ceiling", budget.ceiling, purse.spent + purse.held, worst)
    return None


_A_PER = {"session": "for each conversation", "client": "a day for each client", "day": "a day", "month": "a month"}


_THERE = "in TokenPak's configuration and run `tokenpakctl reload`"


def words(refused: Refused, model: str) -> str:
    """A refusal in words for who is refused: which budget, what is in it, what to do."""
    budget = refused.budget
    named = f"budget {budget.name!r} ({dollars(refused.limit)} {_A_PER[budget.per]})"
    match refused.why:
        case "unpriced":
            return f"{named} cannot hold a request to {model or 'a model it cannot tell'}: it has no price. State one in [prices] of the configuration, or `unpriced` in the budget"
        case "block":
            return f"{named} is spent: {dollars(refused.spent)}. Raise `block` {_THERE}, or wait for the next period"
        case "ceiling":
            rest, worst = dollars(max(0, refused.limit - refused.spent)), dollars(refused.worst or 0)
            return f"{named} has {rest} left, and this request could cost {worst}. Lower max_tokens, or raise `ceiling` {_THERE}"


def dollars(nanos: int) -> str:
    """In dollars and cents, or as fine as it must be to be more than nothing."""
    value = nanos / NANOS
    return f"${value:,.2f}" if not 0 < value < 0.01 else f"${value:.9f}".rstrip("0")
