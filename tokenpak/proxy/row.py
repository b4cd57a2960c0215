"""What becomes known of one request on its way, and the two events that tell the writer about it.

An exchange notes facts here as they arise and may end at any point; the events are made from what is there by then.
Missing is None, never 0.
"""

from dataclasses import dataclass, field

import msgspec
import trio

from tokenpak.core import redact
from tokenpak.core.body import Outline
from tokenpak.core.client import Client
from tokenpak.core.patch import Format, Patch
from tokenpak.core.recall import Stored
from tokenpak.core.redact import Blocked, Clean, Redacted, Verdict, Warned
from tokenpak.core.refusal import Fault
from tokenpak.core.route import Route
from tokenpak.core.usage import Observation
from tokenpak.ipc.events import FOUND, PAST_WARNING, CloseState, PassTally, RequestClosed, RequestOpened
from tokenpak.services.accounts import Account, Opened
from tokenpak.services.budgets import Reservation
from tokenpak.services.dispatch import Compressed
from tokenpak.services.marks import Marked
from tokenpak.services.occupancy import Place
from tokenpak.services.response_cache import Ticket

MARKS = "cache-marks"
"""The name of cache marks among the passes of a row."""


@dataclass(slots=True)
class Course:
    """The facts of one request. Times are trio's clock, in seconds; sizes are bytes as they went over the wire.

    read_at: the body was in. sent_at: the way to the provider began. head_at: the head of the response came.
    passed_at: it went on to the client. why_unread: one word, where the body was a candidate and could not be read.
    ticket: what it may have of the response cache. recalled: the stored answer it got.
    marks: cache marks of ours in the body that was sent. verdict: on what was found in it. reservation: money held.
    account: opened at the response's head, settled at its end. holder: whose token it showed. place: among those under way.
    """

    id: str
    method: str
    path: str
    opened_ns: int
    state: CloseState = "interrupted"
    client: Client | None = None
    client_request_id: str | None = None
    holder: str | None = None
    place: Place | None = None
    route: Route | None = None
    ticket: Ticket | None = None
    recalled: Stored | None = None
    compressed: Compressed | None = None
    why_unread: str | None = None
    marks: Marked | None = None
    verdict: Verdict | None = None
    reservation: Reservation | None = None
    account: Opened | None = None
    settled: Account = field(default_factory=Account)
    fault: Fault | None = None
    status: int | None = None
    size_in: int | None = None
    size_out: int | None = None
    size_back: int | None = None
    began: float = field(default_factory=trio.current_time)
    read_at: float | None = None
    sent_at: float | None = None
    head_at: float | None = None
    passed_at: float | None = None

    @property
    def provider(self) -> str | None:
        """Who owns the path; None before it is routed."""
        return self.route.provider if self.route else None

    @property
    def format(self) -> Format | None:
        """That of the body, where it is one that is read."""
        return self.route.format if self.route else None

    @property
    def caller(self) -> str | None:
        """The client's name."""
        return self.client.name if self.client else None

    @property
    def session(self) -> str | None:
        """As the client names it, else the conversation's family."""
        return (self.client.session if self.client else None) or (self.compressed.session if self.compressed else None)

    @property
    def party(self) -> str | None:
        """Who takes turns with others when workers are short: the holder of a token, else the session a client names."""
        return self.holder or (self.client.session if self.client else None)

    @property
    def outline(self) -> Outline | None:
        """What the body says of itself."""
        return self.compressed.outline if self.compressed else None

    @property
    def model(self) -> str | None:
        """The model the body asks for, or else the path."""
        return (self.outline.model if self.outline else None) or (self.route.model if self.route else None)


def opened(course: Course, front: str) -> RequestOpened:
    """The row as it opens: what the request says of itself."""
    outline = course.outline
    return RequestOpened(
        id=course.id,
        opened_ns=course.opened_ns,
        front=front,
        method=course.method,
        path=course.path,
        client_request_id=course.client_request_id,
        provider=course.provider,
        format=course.format.value if course.format else None,
        client=course.caller,
        session=course.session,
        model_asked=course.model,
        stream=outline.stream if outline else None,
        project=outline.project if outline else None,
    )


def closed(course: Course, seen: Observation, now_ns: int) -> RequestClosed:
    """The row as it closes; `seen` is what the tap read in the response, an empty one where there was none."""
    done, patch = course.compressed, course.compressed.patch if course.compressed else None
    claimed = patch if done is not None and done.claims else None
    return RequestClosed(
        id=course.id,
        closed_ns=now_ns,
        state=course.state,
        status=course.status,
        error_code=course.fault or _told(seen),
        model_served=seen.model,
        attempts=int(course.sent_at is not None),
        usage=seen.usage,
        usage_basis=seen.basis,
        web_searches=seen.web_searches,
        bytes_before=course.size_in,
        bytes_after=course.size_out,
        bytes_response=course.size_back,
        compression=done.how if done else "unread",
        reason=done.reason if done else course.why_unread,
        passes={**_passes(claimed, course.marks.marks if course.marks else 0), **_guarded(course)},
        counter=claimed.counter if claimed else None,
        plan_hash=patch.plan.hex() if patch else None,
        defects=patch.defects if patch else 0,
        echo=seen.echo,
        queue_ms=done.queue_ms if done else None,
        worker_ms=done.worker_ms if done else None,
        first_byte_ms=_ms(course.sent_at, course.head_at),
        total_ms=_ms(course.began, trio.current_time()),
        added_ms=_added_ms(course),
        **msgspec.structs.asdict(course.settled),
    )


def _passes(patch: Patch | None, marks: int) -> dict[str, PassTally]:
    """What passes did, and how many cache marks were placed: an edit of its own kind, which removes no token."""
    passes = {tally.name: PassTally(tally.edits, tally.saved) for tally in patch.tallies} if patch else {}
    return {**passes, MARKS: PassTally(marks, 0)} if marks else passes


def _guarded(course: Course) -> dict[str, PassTally]:
    """What was redacted, found and warned of; none of it removes a token."""
    counts = {PAST_WARNING: len(course.reservation.warned) if course.reservation else 0}
    match course.verdict:
        case Warned(found):
            counts[FOUND] = found.total()
        case Redacted(_, edits, found):
            counts |= {redact.KIND: len(edits), FOUND: found.total()}
        case Clean() | Blocked() | None:
            pass
    return {name: PassTally(count, 0) for name, count in counts.items() if count}


def _told(seen: Observation) -> str | None:
    """An error inside a response: what the provider said, or that its format's end is missing."""
    return seen.error or ("truncated" if seen.truncated else None)


def _added_ms(course: Course) -> float | None:
    """What the request waited for us: from its last byte to its way out, and from the response's head to its passing on.

    None for an upload, whose way out begins before its last byte is in.
    """
    out, back = _ms(course.read_at, course.sent_at), _ms(course.head_at, course.passed_at)
    return None if out is None or back is None else out + back


def _ms(since: float | None, until: float | None) -> float | None:
    return None if since is None or until is None else (until - since) * 1000
