"""The guard of a request: what may not leave this machine, and what may not be spent. Two halves of `admit` that need the
body, and so come later than it: the search as soon as the body is there, the money once model and size are known.

Whoever is turned away hears it in the words of `core/refusal`. Money held is settled at the end of every request, whatever
became of it; the difficulty is to tell who was billed. A request that never reached its provider was not, nor one that the
provider refused; of any other it is the account that knows, and where it does not, nobody does.
"""

import msgspec

from tokenpak.core import budget
from tokenpak.core.budget import Refused, is_billed, most_tokens
from tokenpak.core.redact import Blocked, Clean, Redacted, Warned
from tokenpak.core.refusal import Refuse
from tokenpak.proxy.room import Room
from tokenpak.proxy.row import Course
from tokenpak.services.budgets import Spending

_FILES = (b"multipart/", b"audio/", b"image/", b"video/", b"application/octet-stream")
_WHY = {
    "wanted": "",
    "fixed": " in a place where nothing can be put in its stead",
    "billed": ", and the client's bill depends on the bytes of this body (`billed`)",
}
_NEVER_ARRIVED = frozenset({"busy", "upstream_unreachable"})


class TurnedAway(Exception):  # noqa: N818 a decision, not an error
    """The request may not be sent."""

    def __init__(self, refuse: Refuse) -> None:
        super().__init__(refuse.fault)
        self.refuse = refuse


class _Named(msgspec.Struct):
    model: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


def holds(room: Room, course: Course, content_type: bytes) -> bool:
    """Whether the body may not go on before it was searched, by the terms for its client."""
    return not _is_file(content_type) and room.redaction.terms(course.caller).holds


def search(room: Room, course: Course, text: bytes, content_type: bytes) -> bytes:
    """The body as it may go on: the same object, or one with placeholders. Raises TurnedAway. Files are not searched."""
    if _is_file(content_type):
        return text
    course.verdict = verdict = room.redaction.search(course.format, text, course.caller)
    match verdict:
        case Blocked():
            raise TurnedAway(_found(course, verdict))
        case Redacted(body):
            return body
        case Clean() | Warned():
            return text


def unsearched(course: Course, why: str) -> TurnedAway:
    """For a body that holds back nothing known, but cannot be looked into."""
    return TurnedAway(Refuse("unsearched", why, course.provider))


def reserve(room: Room, course: Course, body: bytes | None, size: int) -> None:
    """Hold money for the request. body: as it will be sent, None for an upload of `size` bytes. Raises TurnedAway."""
    route, done = course.route, course.compressed
    if route is None or not is_billed(course.method, course.path):
        return
    about, footprint = (done.outline, done.footprint) if done else (None, None)
    model = course.model if about else course.model or _model_of(body)
    outcome = room.budgets.reserve(
        Spending(
            course.id,
            route.provider,
            model,
            course.caller,
            course.session,
            most_tokens([trace.tokens for trace in footprint.blocks] if footprint else None, size),
            about.max_tokens if about else None,
        )
    )
    if isinstance(outcome, Refused):
        raise TurnedAway(Refuse("over_budget", budget.words(outcome, model or ""), route.provider))
    course.reservation = outcome


def settle(room: Room, course: Course) -> None:
    """Settle the money held, once the account is."""
    if course.reservation is not None:
        room.budgets.settle(course.reservation, _billed(course))


def _billed(course: Course) -> int | None:
    if course.sent_at is None or course.fault in _NEVER_ARRIVED:
        return 0
    if course.passed_at is not None and course.status is not None and course.status >= 400:
        return 0
    return course.settled.cost_nanos


def _found(course: Course, blocked: Blocked) -> Refuse:
    what = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in blocked.found.items())
    detail = f"found {what}{_WHY[blocked.why]}"
    return Refuse("secret_found", detail, course.provider)


def _is_file(content_type: bytes) -> bool:
    """An uploaded file, which is no text of a conversation yet."""
    return content_type.strip().lower().startswith(_FILES)


def _model_of(body: bytes | None) -> str | None:
    """The model that a body names whose format is not read otherwise."""
    try:
        return _NAMED.decode(body).model if body else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
