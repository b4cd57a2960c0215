"""Budgets as a step of a request: hold its worst case before it is sent, settle what it cost at its end.

What is held and spent is kept by scope (a day, a client's day, a conversation's month) and follows one log that all
slots share (services/spend). Asking and taking is one step under its lock, so of two requests that both want the
last cent one is refused, in whichever slot they are.

A request without a cost at its end counts in full: the provider did not say what it used, so nobody can say that it used
less. One that was not sent, or that the provider refused, counts nothing.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from tokenpak.core import budget
from tokenpak.core.budget import Admitted, Asked, Budget, Payer, Purse, Refused, Warned
from tokenpak.core.cost import Priced
from tokenpak.services import spend
from tokenpak.services.shared_log import SharedLog, Use
from tokenpak.services.spend import Held, Line, Settled, Total, shortened

SCOPES = 65_536
"""Purses kept; those not used for longest are forgotten, which is counted. Only conversations can be so many."""


class Priceable(Protocol):
    """`core.cost.PriceTable`, as far as budgets need it."""

    def find(self, provider: str, model: str) -> Priced | None:
        """The prices of a model, None where it has none."""


class Spending(NamedTuple):
    """A request about to be sent. model, client, session: as told, None where not known. tokens: of its input, at worst.

    max_tokens: the bound on its output, None where it states none.
    """

    id: str
    provider: str
    model: str | None
    client: str | None
    session: str | None
    tokens: int
    max_tokens: int | None


class Reservation(msgspec.Struct, frozen=True):
    """Money held for a request. worst: nano-dollars, None without a price. warned: budgets that are past their warning."""

    id: str
    worst: int | None
    warned: tuple[str, ...] = ()


class Budgets:
    """Gives money to requests. prices: the table in force. file: what slots share. today: the user's day, YYYY-MM-DD."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        prices: Callable[[], Priceable],
        file: Path,
        today: Callable[[], str] = lambda: datetime.now().astimezone().date().isoformat(),
    ) -> None:
        self._budgets, self._prices, self._today = tuple(budgets), prices, today
        self._purses: OrderedDict[tuple[int, str], Purse] = OrderedDict()
        self._held: dict[str, Held] = {}
        self._month = today()[:7]
        self._counts = Counter({"reserved": 0, "settled": 0, "warned": 0, "refused": 0, "unpriced": 0, "forgotten": 0})
        use = Use(self._take, self._forget, lambda lines: shortened(lines, self._month))
        decoder = msgspec.msgpack.Decoder(Line)
        self._log = SharedLog(file, decoder, use, spend.LONGEST_BYTES) if self._budgets else None

    def reserve(self, spending: Spending) -> Reservation | Refused | None:
        """Money for a request, or why there is none; None where no budget is for it."""
        payer = Payer(self._turned(), spending.client or "", spending.session or "", spending.model or "")
        if self._log is None or not self._scopes(payer):
            return None
        worst = self._worst(spending)
        outcome: list[budget.Verdict] = []

        def held() -> Held | None:
            asked = [Asked(each, self._purses.get(key, Purse())) for key, each in self._scopes(payer)]
            outcome.append(budget.decide(asked, worst))
            return None if isinstance(outcome[0], Refused) else Held(spending.id, payer, worst)

        self._log.write(held)
        self._counts["unpriced"] += worst is None
        match outcome[0]:
            case Refused() as refused:
                self._counts["refused"] += 1
                return refused
            case Warned(names):
                self._counts.update(("reserved", "warned"))
                return Reservation(spending.id, worst, names)
            case Admitted():
                self._counts["reserved"] += 1
                return Reservation(spending.id, worst)

    def settle(self, reservation: Reservation, cost: int | None) -> None:
        """The request has ended. cost: nano-dollars; 0: it was not billed; None: nobody said, so it counts in full."""
        if self._log is not None:
            self._turned()
            line = Settled(reservation.id, reservation.worst if cost is None else cost)
            self._log.write(lambda: line)
            self._counts["settled"] += 1

    def statistics(self) -> dict[str, object]:
        """Requests by outcome; for each budget the dollars spent and held today; what is wrong with the file."""
        day = self._today()
        trouble = self._log.trouble() if self._log is not None else None
        return {
            **self._counts,
            "budgets": {each.name: self._state(index, each, day) for index, each in enumerate(self._budgets)},
            "held": len(self._held),
            "file": trouble._asdict() if trouble else None,
        }

    def _state(self, index: int, each: Budget, day: str) -> dict[str, object]:
        """Of the scope that has spent most, where a budget has several."""
        purses = [purse for (of, scope), purse in self._purses.items() if of == index and _is_of(scope, day)]
        most = max(purses, key=sum, default=Purse())
        return {"per": each.per, "spent": most.spent / budget.NANOS, "held": most.held / budget.NANOS}

    def _worst(self, spending: Spending) -> int | None:
        priced = self._prices().find(spending.provider, spending.model) if spending.model else None
        return budget.worst_case(priced.prices, spending.tokens, spending.max_tokens) if priced else None

    def _turned(self) -> str:
        """The day; with a new month, everything of earlier ones is let go. A clock set back lets nothing go."""
        day = self._today()
        if day[:7] != self._month:
            self._month = day[:7]
            for key in [key for key in self._purses if key[1][:7] < self._month]:
                del self._purses[key]
            for each in [each for each in self._held.values() if each.payer.day[:7] < self._month]:
                del self._held[each.id]
        return day

    def _scopes(self, payer: Payer) -> list[tuple[tuple[int, str], Budget]]:
        """The budgets that are for a payer, each with the key of its purse."""
        scopes = ((index, each, budget.scope_of(each, payer)) for index, each in enumerate(self._budgets))
        return [((index, scope), each) for index, each, scope in scopes if scope is not None]

    def _take(self, line: Line) -> None:
        """A line of the log, of whichever slot: what it says of money is so."""
        match line:
            case Held(identity, payer, worst):
                if payer.day[:7] >= self._month:
                    self._held[identity] = line
                    self._change(payer, lambda purse, each: budget.reserve(purse, each, worst))
            case Settled(identity, cost):
                known = self._held.pop(identity, None)
                if known is not None:
                    before = known.worst
                    self._change(known.payer, lambda purse, each: budget.settle(purse, each, before, cost))
            case Total(payer, cost, unpriced):
                if payer.day[:7] >= self._month:
                    self._change(payer, lambda purse, each: _with_total(purse, each, cost, unpriced))

    def _forget(self) -> None:
        self._purses.clear()
        self._held.clear()

    def _change(self, payer: Payer, change: Callable[[Purse, Budget], Purse]) -> None:
        for key, each in self._scopes(payer):
            self._purses[key] = change(self._purses.pop(key, Purse()), each)
            if len(self._purses) > SCOPES:
                self._purses.popitem(last=False)
                self._counts["forgotten"] += 1


def _with_total(purse: Purse, each: Budget, cost: int, unpriced: int) -> Purse:
    return Purse(purse.spent + cost + unpriced * (each.unpriced or 0), purse.held)


def _is_of(scope: str, day: str) -> bool:
    return scope.partition("\n")[0] in (day, day[:7])
