"""Workers for tests: real processes that obey the body they are given, and a fake one whose every word the test says.

Run as a script, this file is such a process: `worker_lab.py SOCKET`.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio
import zmq

from tokenpak.config.paths import prepare
from tokenpak.config.settings import Settings
from tokenpak.core.patch import Edit, Format, Job, Patch, Policy
from tokenpak.ipc import endpoints, frames
from tokenpak.processes.lifecycle import SUPERVISOR_VARIABLE, Stop, stop_by_exception
from tokenpak.processes.worker import serve

JOB = Job(Format.ANTHROPIC, Policy(), ())


def patch_for(body: bytes) -> Patch:
    return Patch((Edit(0, 0, b"", "test"),), (), zlib.crc32(body), bytes(16), (), {}, 0, "test")


def obey(_job: Job, body: bytes) -> Patch:
    """`sleep 0.3`, `raise`, `die`: done as said. Everything else is answered."""
    word, _, rest = body[:40].partition(b" ")
    match word:
        case b"sleep":
            time.sleep(float(rest))
        case b"raise":
            raise RuntimeError("a secret of the request")
        case b"deep":
            return obey(_job, body)
        case b"die":
            os.kill(os.getpid(), signal.SIGKILL)
    return patch_for(body)


@contextmanager
def instance(workers: int = 2, **more: float) -> Iterator[Settings]:
    """Settings of an instance in a short directory of its own, its directories made."""
    with tempfile.TemporaryDirectory(prefix="tp-") as name:
        settings = Settings(state_dir=name, workers=workers, **more)
        prepare(settings.paths)
        yield settings


class WorkerProcess:
    """One worker process that a test may kill, stop and start again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start()

    def start(self) -> None:
        parent = {SUPERVISOR_VARIABLE: str(os.getpid())}  # or it would outlive a test run that dies while it starts
        command = [sys.executable, "-W", "error", __file__, str(self.path)]
        self.process = subprocess.Popen(command, env={**os.environ, **parent})

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def worker_processes(settings: Settings) -> Iterator[list[WorkerProcess]]:
    workers = [WorkerProcess(settings.paths.worker_sock(number)) for number in range(settings.workers)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()


class FakeWorker:
    """A socket where a worker should be. It says nothing but what the test makes it say."""

    def __init__(self, path: Path) -> None:
        self._socket = zmq.Context.instance().socket(zmq.ROUTER)
        endpoints.bind(self._socket, path)
        self.peer = b""

    def close(self) -> None:
        self._socket.close(linger=0)

    async def hear(self) -> frames.Message:
        """The next message that is not a ping; pings are left without an answer."""
        while isinstance(message := await self.hear_any(), frames.PingMessage):
            pass
        return message

    async def hear_any(self) -> frames.Message:
        with trio.fail_after(5):
            while not self._socket.poll(0):  # noqa: ASYNC110 the fake is not what trio waits for here
                await trio.sleep(0.001)
        self.peer, *received = self._socket.recv_multipart()
        return frames.decode(received)

    def waiting(self) -> bool:
        """Whether a message lies unheard."""
        return bool(self._socket.poll(0))

    def say(self, *frames_: bytes) -> None:
        self._socket.send_multipart([self.peer, *frames_])

    def tell(self, message: frames.Message) -> None:
        self.say(*frames.encode(message))


@contextmanager
def fake_workers(settings: Settings) -> Iterator[list[FakeWorker]]:
    fakes = [FakeWorker(settings.paths.worker_sock(number)) for number in range(settings.workers)]
    try:
        yield fakes
    finally:
        for fake in fakes:
            fake.close()


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Return as soon as the condition holds; fail after so many seconds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 conditions of other processes have no event
            await trio.sleep(0.002)


if __name__ == "__main__":
    with suppress(Stop):
        stop_by_exception()
        serve(Path(sys.argv[1]), obey, "test")
