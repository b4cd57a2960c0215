"""How many requests each client and each session has under way, and whether one more may begin.

A request that is one too many is refused at once and not kept waiting: a waiting request would look to its client like a
slow provider, hold a connection and run into the client's own time, while one that is told to come again comes again. All
of it is synchronous, so no two requests can take the last place. Only places that are taken are remembered.
"""

from collections import Counter
from typing import Literal, TypeVar

import msgspec

Whose = Literal["client", "session"]
T = TypeVar("T")


class Place(msgspec.Struct, frozen=True):
    """What a request holds until it has ended; None: it has no such name."""

    client: str | None
    session: str | None


class Full(msgspec.Struct, frozen=True):
    """No more than `most` requests of this client or session at a time."""

    whose: Whose
    most: int


class OccupancyStatistics(msgspec.Struct, frozen=True):
    """clients, sessions: names that have requests under way now. refused: since the start, by whose limit it was."""

    clients: int
    sessions: int
    refused: dict[str, int]


class Occupancy:
    """per_client, per_session: the most requests under way at a time; None: any number.

    A session belongs to its client: two clients that give the same name mean two sessions.
    """

    def __init__(self, per_client: int | None, per_session: int | None) -> None:
        self._most: dict[Whose, int | None] = {"client": per_client, "session": per_session}
        self._clients: Counter[str] = Counter()
        self._sessions: Counter[tuple[str | None, str]] = Counter()
        self._refused: Counter[str] = Counter()

    def enter(self, client: str | None, session: str | None) -> Place | Full:
        """Take a place. A request without a name has no limit of that name."""
        if client is not None and self._is_full("client", self._clients[client]):
            return self._no("client")
        if session is not None and self._is_full("session", self._sessions[client, session]):
            return self._no("session")
        if client is not None:
            self._clients[client] += 1
        if session is not None:
            self._sessions[client, session] += 1
        return Place(client, session)

    def leave(self, place: Place) -> None:
        """The request has ended."""
        if place.client is not None:
            _one_less(self._clients, place.client)
        if place.session is not None:
            _one_less(self._sessions, (place.client, place.session))

    def statistics(self) -> OccupancyStatistics:
        return OccupancyStatistics(len(self._clients), len(self._sessions), dict(self._refused))

    def _is_full(self, whose: Whose, under_way: int) -> bool:
        most = self._most[whose]
        return most is not None and under_way >= most

    def _no(self, whose: Whose) -> Full:
        self._refused[whose] += 1
        return Full(whose, self._most[whose] or 0)


def _one_less(counts: Counter[T], name: T) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
