"""Faults that can be switched on: what goes wrong, for which requests, how often; and what it does to a reply.

A reply is a script of actions that the server carries out, so a fault is a change of that script and needs no socket
to be tested. A request meets at most one fault, the first armed one that fits it: two faults of one use each hit two
requests, in the order in which they were armed.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tokenpak.mock_provider.call import Refusal


class Send(msgspec.Struct, frozen=True):
    """Send these bytes of the body, flushed."""

    data: bytes


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for so many seconds; the client may leave meanwhile."""

    seconds: float


class Cut(msgspec.Struct, frozen=True):
    """Close the connection here, in the middle of the reply."""


Action = Send | Wait | Cut


class Fault(msgspec.Struct, frozen=True, tag_field="fault", forbid_unknown_fields=True, kw_only=True):
    """times: requests it still hits, None for all. path: words that the path must contain. All waits are in seconds."""

    times: int | None = None
    path: str = ""


class Refuse(Fault, frozen=True, tag="refuse", kw_only=True):
    """Answer with an error status: 429 and 529 are the usual ones. retry_after: seconds, sent as a header."""

    status: int = 429
    retry_after: float | None = None


class ErrorEvent(Fault, frozen=True, tag="error_event", kw_only=True):
    """After so many events of a stream send an error event and end. Requests that do not stream are passed by."""

    after: int = 2


class CutAt(Fault, frozen=True, tag="cut", kw_only=True):
    """Close the connection after so many bytes of the body, as sent (after any content coding)."""

    at_byte: int = 0


class Stall(Fault, frozen=True, tag="stall", kw_only=True):
    """After so many bytes of the body send nothing for a while, then go on."""

    at_byte: int = 0
    seconds: float = 3600.0


class Slow(Fault, frozen=True, tag="slow", kw_only=True):
    """Send nothing, not even the status, for a while."""

    seconds: float = 1.0


class Drop(Fault, frozen=True, tag="drop", kw_only=True):
    """Close the connection without any answer."""


AnyFault = Refuse | ErrorEvent | CutAt | Stall | Slow | Drop

ERROR_WORDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def refusal_of(fault: Refuse) -> Refusal:
    """The error of a refusing fault."""
    return Refusal(fault.status, ERROR_WORDS.get(fault.status, "api_error"), f"A fault of the mock: {fault.status}")


class BadFault(ValueError):  # noqa: N818 - the answer to whoever asked for it
    """A fault that cannot be read. The message names what is wrong."""


def parse_json(raw: bytes) -> list[AnyFault]:
    """Faults from an admin request: one object, or a list of them. Raises BadFault."""
    try:
        found = msgspec.json.decode(raw, type=list[AnyFault] | AnyFault)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFault(str(error)) from error
    return found if isinstance(found, list) else [found]


def parse_words(words: str) -> AnyFault:
    """A fault from the command line, such as "refuse status=529 times=1". Raises BadFault."""
    name, *pairs = words.split()
    fields: dict[str, Any] = {"fault": name}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadFault(f"{pair!r} is not of the form name=value")
        fields[key] = value
    try:
        fault: AnyFault = msgspec.convert(fields, AnyFault, strict=False)
    except msgspec.ValidationError as error:
        raise BadFault(str(error)) from error
    return fault


class Switchboard:
    """The faults that are armed, in order."""

    def __init__(self, armed: Iterable[AnyFault] = ()) -> None:
        self._armed: list[AnyFault] = list(armed)
        self._hits = 0

    @property
    def hits(self) -> int:
        """Requests that met a fault."""
        return self._hits

    def arm(self, faults: Iterable[AnyFault]) -> None:
        """Add faults behind those that are armed."""
        self._armed += faults

    def disarm(self) -> None:
        """Switch everything off."""
        self._armed.clear()

    def armed(self) -> list[AnyFault]:
        """What is armed now."""
        return list(self._armed)

    def take(self, path: str, *, streams: bool) -> AnyFault | None:
        """The fault that this request meets; it is used up by one."""
        for nth, fault in enumerate(self._armed):
            if fault.path not in path or (isinstance(fault, ErrorEvent) and not streams):
                continue
            if fault.times is not None:
                left = msgspec.structs.replace(fault, times=fault.times - 1)
                self._armed[nth : nth + 1] = [left] if left.times else []
            self._hits += 1
            return fault
        return None


# Scripts


def with_error_event(pieces: Iterable[bytes], after: int, error: bytes) -> Iterator[bytes]:
    """The first events of a stream, then the error, then nothing."""
    for nth, piece in enumerate(pieces):
        if nth >= after:
            break
        yield piece
    yield error


def interrupted(script: Iterable[Action], at_byte: int, by: Action) -> Iterator[Action]:
    """A script with an action put in after so many bytes of the body. A shorter body meets it at its end."""
    left, done = at_byte, False
    for action in script:
        if done or not isinstance(action, Send) or len(action.data) < left:
            left -= len(action.data) if isinstance(action, Send) else 0
            yield action
            continue
        if action.data[:left]:
            yield Send(action.data[:left])
        yield by
        done = True
        if action.data[left:]:
            yield Send(action.data[left:])
    if not done:
        yield by
