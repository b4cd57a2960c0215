"""Events, stores and writer processes for tests.

Run as a script, this file prints the schema that a fresh migration makes: `python tests/store_lab.py > tokenpak/telemetry/schema.sql`.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from tokenpak.config.paths import Paths
from tokenpak.config.settings import Settings, write_settings
from tokenpak.core.usage import Usage
from tokenpak.ipc.event_frames import STATISTICS_REQUEST, pack_body, unpack_statistics
from tokenpak.ipc.events import Envelope, Event, PassTally, RequestClosed, RequestOpened
from tokenpak.services.journal import Journal
from tokenpak.telemetry.store import close_store, open_store

FRONT = bytes(range(16))
OTHER = bytes(range(16, 32))


def name_of(number: int) -> str:
    """A request id that sorts by its number, as UUIDv7 do by time."""
    return f"019e0000-0000-7000-8000-{number:012d}"


def opened(number: int, **more) -> RequestOpened:
    facts = {
        "opened_ns": 1_000_000 + number,
        "front": "front",
        "method": "POST",
        "path": "/v1/messages",
        "client_request_id": f"client-{number}",
        "provider": "anthropic",
        "format": "anthropic",
        "client": "claude-code",
        "session": "session",
        "model_asked": "asked",
        "stream": True,
    }
    return RequestOpened(name_of(number), **(facts | more))


def closed(number: int, **more) -> RequestClosed:
    facts = {
        "closed_ns": 2_000_000 + number,
        "state": "done",
        "status": 200,
        "model_served": "served",
        "attempts": 1,
        "usage": Usage(10, 20, 30, 40, 50, 60, 7),
        "usage_basis": "provider",
        "bytes_before": 1000,
        "bytes_after": 800,
        "bytes_response": 300,
        "compression": "worker",
        "passes": {"line-runs": PassTally(3, 90)},
        "counter": "o200k_base",
        "plan_hash": "ab" * 16,
        "queue_ms": 0.5,
        "worker_ms": 1.5,
        "first_byte_ms": 400.0,
        "total_ms": 900.0,
        "added_ms": 2.5,
    }
    return RequestClosed(name_of(number), **(facts | more))


def pair(number: int, front: bytes = FRONT) -> list[Envelope]:
    """Both events of a request, with the sequence numbers 2n+1 and 2n+2."""
    events: tuple[Event, ...] = (opened(number), closed(number))
    return [Envelope(front, 2 * number + 1 + i, event) for i, event in enumerate(events)]


def rows(database: Path, columns: str = "*", where: str = "1") -> list[tuple]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(f"SELECT {columns} FROM request WHERE {where} ORDER BY id").fetchall()  # noqa: S608


def states(database: Path) -> dict[str, int]:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT state, count(*) FROM request GROUP BY state").fetchall())
    except sqlite3.OperationalError:  # not there yet
        return {}


def dump(connection: sqlite3.Connection) -> str:
    """Our schema, and what else names it, in a fixed order. The table of alembic is its own affair."""
    lines = [
        f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};"
        for name in ("application_id", "user_version")
    ]
    made = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version' "
        "ORDER BY instr('table index trigger', type), name"  # as they can be made again
    )
    lines += [sql.strip().replace("\t", "  ").replace(", \n", ",\n") + ";" for (sql,) in made]
    return "\n".join(lines) + "\n"


def fresh_schema(path: Path) -> str:
    close_store(open_store(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return dump(connection)


def leave_journal(paths: Paths, events: list[tuple[int, Event]], front: bytes = FRONT) -> None:
    """The journal of a front that died with these events unacknowledged."""
    journal = Journal(paths.journal, front)
    for seq, event in events:
        assert journal.append(seq, pack_body(event)) is not None
    journal.close()


def eventually(what: str, condition, within_s: float = 15.0):
    """The first true value of a condition; fails with `what` when there is none in time."""
    until = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {within_s} s: {what}"
        time.sleep(0.01)
    return value


_WRITER = "import sys; from tokenpak.processes.writer import main; sys.exit(main())"
_LIMITED = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({0}, {0})); "


class WriterProcess:
    """A real writer that a test may kill and start again. file_limit: bytes any file of it may have."""

    def __init__(self, settings: Settings, file_limit: int | None = None) -> None:
        self.paths = settings.paths
        write_settings(settings)
        prefix = "" if file_limit is None else _LIMITED.format(file_limit)
        self._code = prefix + _WRITER
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.paths.logs / "writer.log"

    def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TOKENPAK_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", self._code],
                env={**environment, "TOKENPAK_SETTINGS": str(self.paths.settings_file)},
                stderr=log,
            )

    def ask(self, within_s: float = 0.5) -> dict | None:
        """Its statistics; None when it does not answer."""
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(f"ipc://{self.paths.writer_sock}")
            dealer.send(STATISTICS_REQUEST)
            return unpack_statistics(dealer.recv()) if dealer.poll(int(within_s * 1000)) else None

    def wait_until_up(self) -> dict:
        return eventually("the writer answers", self.ask)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@contextlib.contextmanager
def writer(settings: Settings, file_limit: int | None = None) -> Iterator[WriterProcess]:
    """A started writer. It must end with 0 when it is stopped, unless the test has ended it."""
    it = WriterProcess(settings, file_limit)
    it.start()
    try:
        yield it
        if it.process.poll() is None:
            assert it.stop() == 0, it.log.read_text()
    finally:
        if it.process.poll() is None:
            it.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write(fresh_schema(Path(directory) / "fresh.db"))


def at(number, opened_ns):
    """The pair of a request that came at a time."""
    first, second = pair(number)
    return [Envelope(first.front, first.seq, opened(number, opened_ns=opened_ns)), second]
