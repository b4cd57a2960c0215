"""The whole service as a user starts it, on free ports in a throw-away state directory, with the embedded provider."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

START_S = 40.0


def eventually(what: str, condition: Callable[[], object], within_s: float = 20.0) -> object:
    """The first true value of a condition. Fails with `what` when there is none in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s: {what}")


class Program:
    """A program of ours that prints one JSON line when it is ready."""

    def __init__(self, *arguments: str, log: Path, environ: dict[str, str] | None = None) -> None:
        self._log = log.open("ab")
        self.log = log
        self.environ = environ or {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tokenpak.cli.main", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={k: v for k, v in os.environ.items() if not k.startswith("TOKENPAK_")} | self.environ,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{arguments[0]} said nothing and ended: {log.read_text()[-2000:]}"
        self.ready = json.loads(line)

    @property
    def url(self) -> str:
        return self.ready["url"]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def stop(self, within_s: float = 40.0) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()
            self._log.close()


class Service(Program):
    """`tokenpak serve`."""

    def __init__(
        self,
        state: Path,
        upstreams: dict[str, str],
        *,
        drain_s: float = 15.0,
        port: int = 0,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.state = state
        options = [word for name, url in upstreams.items() for word in ("--upstream", f"{name}={url}")]
        state.mkdir(parents=True, exist_ok=True)
        super().__init__(
            *("serve", "--port", str(port), "--state-dir", str(state), "--drain", str(drain_s), *options),
            log=state / "serve.err",
            environ=environ,
        )

    def tree(self) -> list[psutil.Process]:
        """Every process of the service."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def named(self, word: str) -> list[psutil.Process]:
        """Its processes that were started as such a program."""
        found = []
        for process in self.tree():
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-1:] == [word]:
                    found.append(process)
        return found

    def ctl(self, *arguments: str, within_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """`tokenpakctl` on this instance, in the world of its processes."""
        return subprocess.run(
            [sys.executable, "-m", "tokenpak.cli.ctl", *arguments, "--state-dir", str(self.state)],
            env=os.environ | self.environ,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def rows(self, columns: str = "*", where: str = "1") -> list[tuple]:
        """Rows of the store, read-only."""
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/tokenpak.db?mode=ro", uri=True)) as connection:
            return connection.execute(f"select {columns} from request where {where}").fetchall()  # noqa: S608


class Configured(Service):
    """`tokenpak serve --config`."""

    def __init__(self, state: Path, config: Path, environ: dict[str, str] | None = None) -> None:
        self.state = state
        state.mkdir(exist_ok=True)
        words = ("serve", "--port", "0", "--state-dir", str(state), "--config", str(config))
        Program.__init__(self, *words, log=state / "serve.err", environ=environ)


@contextlib.contextmanager
def configured(state: Path, config: Path) -> Iterator[Callable[[], Configured]]:
    """What starts the service of a configuration in the one state directory, as often as is asked; it ends with this."""
    with contextlib.ExitStack() as ending:

        def start() -> Configured:
            service = Configured(state, config)
            ending.callback(service.stop)
            return service

        yield start


@contextlib.contextmanager
def provider(folder: Path, *options: str) -> Iterator[Program]:
    """The embedded provider."""
    program = Program("mock-provider", "--port", "0", *options, log=folder / "provider.err")
    try:
        yield program
    finally:
        program.stop()


@contextlib.contextmanager
def service(
    folder: Path, upstream: str, *, drain_s: float = 15.0, environ: dict[str, str] | None = None
) -> Iterator[Service]:
    """The service in front of one upstream for every provider; nothing of it is left afterwards."""
    upstreams = dict.fromkeys(("anthropic", "openai", "google", "ollama"), upstream)
    running = Service(folder / "state", upstreams, drain_s=drain_s, environ=environ)
    try:
        yield running
    finally:
        tree = running.tree()
        running.stop()
        left = psutil.wait_procs(tree, timeout=10)[1]
        for process in left:
            process.kill()
        assert not left, f"left running: {left}"
