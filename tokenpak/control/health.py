"""What is well and what is not, and the numbers of every process in one place.

Ready means that requests are carried: a front serves. Everything else that is missing is `degraded`: the front bridges
it (DESIGN of the tree: a dead worker, writer or control never fails a request), but somebody should look. Every
question to another process has a deadline, and no answer is an answer: the process is named, the rest is shown.
"""

import contextlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tokenpak.config.paths import Paths
from tokenpak.config.settings import Settings
from tokenpak.control import reasons
from tokenpak.control.slots import active_slot, ready_pid
from tokenpak.control.supervisor_socket import nudge
from tokenpak.control.unix_http import Answer, NoAnswer, get, refusal

PROBE_S = 0.5
"""How long a process may take to answer a question about itself."""

T = TypeVar("T")


class Health(msgspec.Struct, frozen=True):
    """ready: a front serves. degraded: what is missing, one sentence each, empty when all is well."""

    ready: bool
    degraded: tuple[str, ...]


class Journal(msgspec.Struct, frozen=True):
    """Events on disk that the store has not confirmed yet: segment files of living and dead fronts, and their size."""

    segments: int
    size_bytes: int


class Statistics(msgspec.Struct, frozen=True):
    """One answer to "how are you". A part that did not answer is None; `degraded` then says so."""

    ready: bool
    degraded: tuple[str, ...]
    url: str
    slot: int
    processes: tuple[dict[str, Any], ...] | None
    front: dict[str, Any] | None
    writer: dict[str, Any] | None
    journal: Journal
    store_bytes: int


class WorkerView(msgspec.Struct, frozen=True):
    """What the front's pool says of one worker, as far as it matters here. hung: it holds work and does not answer."""

    up: bool
    hung: bool


class PoolView(msgspec.Struct, frozen=True):
    """The part `pool` of the front's statistics; workers in the order of their numbers."""

    workers: tuple[WorkerView, ...]


class FrontView(msgspec.Struct, frozen=True):
    """The front's statistics, as far as they matter here."""

    pool: PoolView


def check(settings: Settings) -> Health:
    """Ask the serving front, and whether the writer is there."""
    paths, slot = settings.paths, active_slot(settings.paths)
    missing = []
    serving = ready_pid(paths, slot) is not None
    if serving:
        missing += _worker_gaps(settings, slot)
    else:
        missing.append(
            "no front slot is ready; connections wait for the next one. If it stays so: `tokenpakctl logs front`"
        )
    if not nudge(paths.writer_sock):
        missing.append(
            "the writer does not answer; events wait in the journal. If it stays so: `tokenpakctl logs writer`"
        )
    return Health(serving, tuple(missing))


def hung_workers(settings: Settings) -> tuple[int, ...]:
    """Workers that hold work and do not answer. They keep their connection, so only the front can tell."""
    try:
        workers = _pool_view(settings.paths, active_slot(settings.paths)).workers
    except NoAnswer:
        return ()
    return tuple(number for number, worker in enumerate(workers) if worker.hung)


def collect(settings: Settings) -> Statistics:
    """Ask every process for its numbers."""
    paths = settings.paths
    slot = active_slot(paths)
    health = check(settings)
    gaps = list(health.degraded)
    front = _or_gap(gaps, "the front", lambda: front_statistics(paths, slot))
    writer = _or_gap(gaps, "the writer", lambda: writer_statistics(paths))
    gaps += (*reasons.of_front(front or {}), *reasons.of_writer(writer or {}))
    return Statistics(
        ready=health.ready,
        url=settings.url,
        slot=slot,
        processes=_or_gap(gaps, "supervisord", lambda: _processes(paths)),
        front=front,
        writer=writer,
        journal=_journal(paths),
        store_bytes=sum(map(_size, (paths.database, paths.database.with_name(f"{paths.database.name}-wal")))),
        degraded=tuple(gaps),
    )


def respond(settings: Settings, target: str) -> Answer:
    """The control process's answer to one GET."""
    match target.partition("?")[0]:
        case "/livez":
            return Answer(HTTPStatus.OK, b'{"live":true}')
        case "/readyz":
            health = check(settings)
            status = HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE
            return Answer(status, msgspec.json.encode(health))
        case "/statistics":
            return Answer(HTTPStatus.OK, msgspec.json.encode(collect(settings)))
    known = ["/livez", "/readyz", "/statistics"]
    return refusal(HTTPStatus.NOT_FOUND, "tip.protocol.unknown-method", f"Nothing is here. Ask {', '.join(known)}.")


def front_statistics(paths: Paths, slot: int) -> dict[str, Any]:
    """What the serving slot says of itself. Raises NoAnswer."""
    return _decoded(_front_report(paths, slot), dict[str, Any])


def writer_statistics(paths: Paths) -> dict[str, Any]:
    """What the writer says of itself. Raises NoAnswer."""
    import zmq  # only for whoever asks: most lives of the control process never do

    from tokenpak.ipc.event_frames import STATISTICS_REQUEST, BadEventFrame, unpack_statistics

    context = zmq.Context()
    try:
        with context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(f"ipc://{paths.writer_sock}")
            dealer.send(STATISTICS_REQUEST)
            if not dealer.poll(int(PROBE_S * 1000)):
                raise NoAnswer("the writer does not answer")
            return unpack_statistics(dealer.recv())
    except (zmq.ZMQError, BadEventFrame) as error:
        raise NoAnswer(f"the writer: {error}") from error
    finally:
        context.destroy(linger=0)


def _processes(paths: Paths) -> tuple[dict[str, Any], ...]:
    from tokenpak.control.supervisor import NotRunning, Stopping, Supervisor

    try:
        return tuple(msgspec.to_builtins(process) for process in Supervisor(paths).processes())
    except (NotRunning, Stopping) as error:
        raise NoAnswer(str(error)) from error


def _or_gap(gaps: list[str], who: str, ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except NoAnswer as error:
        gaps.append(f"no numbers from {who}: {error}")
        return None


def _worker_gaps(settings: Settings, slot: int) -> list[str]:
    try:
        workers = _pool_view(settings.paths, slot).workers
    except NoAnswer as error:
        return [f"the front does not speak of itself: {error}. If it stays so: `tokenpakctl restart front`"]
    gaps = [
        f"worker_{number:02d} hangs; requests go on without it, and it is replaced by itself"
        for number, each in enumerate(workers)
        if each.hung
    ]
    up = sum(worker.up for worker in workers)
    if up < settings.workers:
        gaps.append(
            f"{up} of {settings.workers} workers are up; requests go on with what there is. If it stays so: "
            "`tokenpakctl logs worker`"
        )
    return gaps


def _pool_view(paths: Paths, slot: int) -> PoolView:
    return _decoded(_front_report(paths, slot), FrontView).pool


def _front_report(paths: Paths, slot: int) -> bytes:
    reply = get(paths.front_sock(slot), "/statistics", PROBE_S)
    if reply.status != HTTPStatus.OK:
        raise NoAnswer(f"the front answers {reply.status}")
    return reply.body


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise NoAnswer(f"an answer of an unknown form: {error}") from error


def _journal(paths: Paths) -> Journal:
    segments = [path for path in paths.journal.glob("*") if path.is_file()]
    return Journal(len(segments), sum(_size(path) for path in segments))


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
