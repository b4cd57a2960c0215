"""The file of stored answers: what it looks like, and how it is read. Only the writer process writes it.

It is a cache, and every way of failing to read it is a miss: no file yet, one that is being made anew, one that is damaged
or of another version. A reader opens it for each look and reads without waiting for anybody, so that a file that was
replaced is simply the next one to be read.
"""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

from tokenpak.core.recall import Stored
from tokenpak.ipc.response_frames import BadResponseFrame, unpack_answer

VERSION = 1
"""`PRAGMA user_version`. A file of another version is deleted, not migrated."""
APPLICATION_ID = 0x54504B52
"""`PRAGMA application_id`: TPKR."""
SCHEMA = """
CREATE TABLE answer (key BLOB NOT NULL UNIQUE, at_ns INTEGER NOT NULL, frame BLOB NOT NULL);
CREATE INDEX answer_by_time ON answer (at_ns);
"""
"""frame: as it came over the wire (ipc/response_frames)."""
FILES = ("", "-wal", "-shm")
"""What the names of the file and of those beside it end in."""
BUSY_S = 0.1

_FIND = "SELECT frame FROM answer WHERE key = ?"


class Unreadable(Exception):  # noqa: N818 said of a file, which is then as good as not there
    """The file, or the answer in it, is damaged; the message says how."""


def find(path: Path, key: bytes) -> Stored | None:
    """The answer kept under a key, None if there is none. Raises Unreadable."""
    if not path.exists():
        return None
    try:
        with contextlib.closing(_open(path)) as connection:
            found = connection.execute(_FIND, (key,)).fetchone()
        stored = unpack_answer(found[0]) if found else None
    except (sqlite3.Error, BadResponseFrame, TypeError) as error:
        raise Unreadable(str(error)) from error
    if stored is not None and stored.key != key:
        raise Unreadable("an answer stands under another one's key")
    return stored


def delete(path: Path) -> None:
    """Remove the file and those beside it. Raises OSError."""
    for ending in FILES:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_S)
