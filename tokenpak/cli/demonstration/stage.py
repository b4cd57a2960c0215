"""The processes of a demonstration: the embedded provider, and the whole service in front of it, in a throw-away place.

Both are started as a user starts them and belong to a process group of their own, so that Ctrl-C reaches this program
alone, which then ends them in order. The difficulty is the end: whatever happened before, nothing may be left running,
and that is looked at, not assumed.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tokenpak.config.paths import Paths, paths_for
from tokenpak.control.claims import holders

START_S = 60.0
STOP_S = 45.0
DRAIN_S = 10.0
GONE_S = 10.0
TAIL_BYTES = 3000
POLL_S = 0.02
PR_SET_PDEATHSIG = 1

MODULE = ("-m", "tokenpak.cli.main")
PROVIDERS = ("anthropic", "openai", "google", "ollama")


class StageError(Exception):
    """A process did not start, or did not end; the message is for the user."""


class _Ready(msgspec.Struct):
    url: str
    pid: int


class Program:
    """A command of ours that prints one JSON line when it is ready and stops on SIGTERM."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.name = arguments[0]
        self._log = log
        with log.open("ab") as words:
            self._process = subprocess.Popen(
                (sys.executable, *MODULE, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                env=_own_environment(),
                start_new_session=True,
                preexec_fn=_ends_with_this_program,  # noqa: PLW1509 - no thread runs yet that could hold a lock
            )
        try:
            ready = self._ready()
        except BaseException:
            self.stop()
            raise
        self.url, self.pid = ready.url, ready.pid

    def _ready(self) -> _Ready:
        """The ready line. Raises StageError with the end of the log."""
        out = self._process.stdout
        deadline, line = time.monotonic() + START_S, b""
        while out is not None and not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise StageError(f"{self.name} was not ready within {START_S:g} s{self._words()}")
            piece = os.read(out.fileno(), 4096)
            if not piece:
                raise StageError(f"{self.name} ended before it was ready{self._words()}")
            line += piece
        return msgspec.json.decode(line, type=_Ready)

    def _words(self) -> str:
        said = self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        return f":\n{said}" if said else ""

    def stop(self) -> int:
        """SIGTERM, then a wait; SIGKILL for what does not listen. The exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()


def _own_environment() -> dict[str, str]:
    """The environment without settings of ours: a demonstration is the same everywhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TOKENPAK_")}


def _ends_with_this_program() -> None:
    """Linux: SIGTERM for a child whose parent was killed. Elsewhere a killed demonstration leaves its service."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Stage:
    """The provider and the service. A context manager; `strike` tears everything down and tells what was left."""

    def __init__(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="tokenpak-demo-"))
        self.paths: Paths = paths_for(self.place / "state")
        self._programs: list[Program] = []
        self.exit_codes: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.strike():
            shutil.rmtree(self.place, ignore_errors=True)

    def start(self) -> None:
        """Start both, the provider first. Raises StageError."""
        self.provider = self._start("mock-provider", "--port", "0")
        nothing = self.place / "empty.toml"
        nothing.write_text("", encoding="utf-8")
        upstreams = [word for name in PROVIDERS for word in ("--upstream", f"{name}={self.provider.url}")]
        where = ("--state-dir", str(self.paths.state), "--config", str(nothing))
        self.service = self._start("serve", "--port", "0", *where, "--drain", f"{DRAIN_S:g}", *upstreams)

    def _start(self, *arguments: str) -> Program:
        program = Program(self.place / f"{arguments[0]}.log", *arguments)
        self._programs.append(program)
        return program

    def strike(self) -> list[str]:
        """Stop everything, last started first. What is still running or listening then, in words. May be repeated."""
        ports = [int(program.url.rpartition(":")[2]) for program in self._programs]
        with _undisturbed():
            while self._programs:
                program = self._programs.pop()
                self.exit_codes[program.name] = program.stop()
            return _left(self.paths, ports)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No second Ctrl-C may break the tidying up, which has bounds of its own."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left(paths: Paths, ports: Sequence[int]) -> list[str]:
    """Processes of the state directory and listening ports, after a moment's patience; processes are then killed."""
    deadline = time.monotonic() + GONE_S
    while left := list(_traces(paths, ports)):
        if time.monotonic() > deadline:
            for pid in holders(paths).values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return left
        time.sleep(POLL_S)
    return []


def _traces(paths: Paths, ports: Sequence[int]) -> Iterator[str]:
    for name, pid in holders(paths).items():
        yield f"{name} (pid {pid}) still runs"
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                yield f"port {port} is still open"
