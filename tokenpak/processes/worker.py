"""A worker process: takes jobs from its socket, one after the other, and answers each in the order it came.

CPU only: no network, and no disk once it serves. It binds the socket last, so whoever is connected finds it ready. The
difficulty is that it must never go down with a job, nor keep anybody waiting for nothing: what cannot be read or raises
is answered with a refusal and counted, what nobody waits for any more is refused unworked. A stop signal raises (Stop),
in the middle of a job as well; the front sees the connection go and sends the job to another worker.
"""

import contextlib
import ctypes
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb

import structlog
import zmq

from tokenpak.config.settings import Settings, read_settings
from tokenpak.core.patch import Job, Patch
from tokenpak.ipc import endpoints, frames
from tokenpak.processes.lifecycle import SLOT_VARIABLE, Exit, Stop, stop_by_exception
from tokenpak.processes.logs import write_log_to_stderr

HIGH_WATER = 256
"""Messages kept in each direction a front; far more than the credits of one."""

MAX_FRAME_BYTES = 128 << 20
"""Longest frame accepted, twice the front's default reading cap; more disconnects the sender."""

COLLECT_SELDOM = (50_000, 50, 1000)
"""Thresholds of the garbage collector. What jobs leave behind has no cycles to speak of; reference counts free it."""

FLUSH_MS = 500
"""How long a finished answer may take to leave when the process ends."""

log = structlog.get_logger(__name__)


class Bench:
    """Where jobs are worked on: turns messages into messages, and counts."""

    def __init__(self, run: Callable[[Job, bytes], Patch], counter: str) -> None:
        self._run, self._counter = run, counter
        self._done = self._failed = self._expired = self._garbled = 0

    def answer(self, received: list[bytes]) -> list[bytes] | None:
        """The frames to answer with; None where there is nobody to name in an answer. Raises nothing but Stop."""
        try:
            message = frames.decode(received)
        except frames.FrameError as error:
            return self._unread(error)
        match message:
            case frames.JobMessage():
                return self._worked(message)
            case frames.PingMessage(number):
                return frames.encode(frames.PongMessage(number, self.vitals()))
            case _:  # words only a worker says
                return self._unread(frames.FrameError("shape"))

    def vitals(self) -> frames.Vitals:
        return frames.Vitals(os.getpid(), self._counter, self._done, self._failed, self._expired, self._garbled)

    def _worked(self, message: frames.JobMessage) -> list[bytes]:
        started = time.monotonic_ns()
        if started > message.expiry_ns:
            self._expired += 1
            return frames.encode(frames.RefusalMessage(message.number, "expired"))
        try:
            patch = self._run(message.job, message.body)
            reply = frames.encode(frames.PatchMessage(message.number, time.monotonic_ns() - started, patch))
        except Exception as error:  # noqa: BLE001 savings fail open: no body may take the worker down with it
            self._failed += 1
            log.warning("job failed", error=type(error).__name__, where=_place(error))
            return frames.encode(frames.RefusalMessage(message.number, "failed"))
        self._done += 1
        return reply

    def _unread(self, error: frames.FrameError) -> list[bytes] | None:
        self._garbled += 1
        if error.number is None:
            return None
        why: frames.Why = "version" if error.fault == "version" else "garbled"
        return frames.encode(frames.RefusalMessage(error.number, why))


def main() -> int:
    """Serve as the worker that the environment names, until told to stop."""
    try:
        stop_by_exception()
        write_log_to_stderr()
        _serve_as_set(read_settings(os.environ), int(os.environ[SLOT_VARIABLE]))
    except Stop:
        log.info("worker stops")
    return Exit.DONE


def _serve_as_set(settings: Settings, number: int) -> None:
    # Imported here, so that a stop signal during the slow part of the start is obeyed.
    from tokenpak.services.compress import Compressor
    from tokenpak.services.tokens import load_counter, search_path

    counter = load_counter(search_path(settings.paths.vocabulary))
    _settle_memory()
    serve(settings.paths.worker_sock(number), Compressor(counter).run, counter.name)


def _settle_memory() -> None:
    """Give back what loading the vocabulary took, and let collections pass by what stays for good.

    A full collection in the middle of a job would walk every line that is remembered, and cost more than the job.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_SELDOM)
    with contextlib.suppress(OSError, AttributeError):  # not glibc: nothing to trim
        ctypes.CDLL(None).malloc_trim(0)


def serve(path: Path, run: Callable[[Job, bytes], Patch], counter: str) -> None:
    """Bind the socket at `path` and answer for ever. An exception (Stop) ends it, after answers given have left."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    try:
        _open(socket, path)
        _answer_all(socket, Bench(run, counter))
    finally:
        socket.close(linger=FLUSH_MS)
        context.term()


def _open(socket: zmq.Socket[bytes], path: Path) -> None:
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    endpoints.bind(socket, path)


def _answer_all(socket: zmq.Socket[bytes], bench: Bench) -> None:
    while True:
        peer, *received = socket.recv_multipart()
        reply = bench.answer(received)
        if reply is not None:
            socket.send_multipart([peer, *reply], flags=zmq.NOBLOCK)


def _place(error: BaseException) -> str:
    """File and line of a failure. Its message stays out of the log: it may quote the request."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
