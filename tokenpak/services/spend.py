"""What is written of money: what requests hold and what they came to, in one log for all slots (services/shared_log).

A request holds its worst case before it is sent, and settles at its end. Slots read what others wrote before they decide,
so that two of them never give out the same cent. What a crash leaves is money held by a request that nobody settles any
more. That may have been billed, so it counts until its month is over.

Why not the store: the front may not read it (the writer lags behind it, and its readers belong to the control plane),
and a budget has to know this second's requests. So this log begins with the first budget that is configured.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from tokenpak.core.budget import Payer

LONGEST_BYTES = 4 * 2**20
"""Beyond that the log is written anew: settled requests as totals, past months not at all."""


class Held(msgspec.Struct, frozen=True, array_like=True, tag="held"):
    """A request takes its worst case; None: it has no price."""

    id: str
    payer: Payer
    worst: int | None


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settled"):
    """It ended, for what it cost: 0 if it was not sent; None: it has no price."""

    id: str
    cost: int | None


class Total(msgspec.Struct, frozen=True, array_like=True, tag="total"):
    """What ended before the log was written anew. unpriced: requests without a price."""

    payer: Payer
    cost: int
    unpriced: int


Line = Held | Settled | Total


def shortened(lines: Iterable[Line], month: str) -> list[Line]:
    """The same in fewer lines, from a month on: totals by payer, and what is still held. Another slot may be in the next one."""
    held: dict[str, Held] = {}
    costs: Counter[Payer] = Counter()
    unpriced: Counter[Payer] = Counter()
    for line in lines:
        match line:
            case Held():
                held[line.id] = line
            case Total():
                costs[line.payer] += line.cost
                unpriced[line.payer] += line.unpriced
            case Settled() if line.id in held:
                payer = held.pop(line.id).payer
                costs[payer] += line.cost or 0
                unpriced[payer] += line.cost is None
            case _:
                pass
    totals = [Total(payer, cost, unpriced[payer]) for payer, cost in costs.items() if payer.day[:7] >= month]
    return [*totals, *(each for each in held.values() if each.payer.day[:7] >= month)]
