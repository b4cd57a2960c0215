import contextlib
import sqlite3
import stat

import pytest
from money_lab import HOUR_NS, told

from tokenpak.telemetry import store, upkeep
from tokenpak.telemetry.book import Book

AT = 480_000 * HOUR_NS


@pytest.fixture
def path(tmp_path):
    book = Book(tmp_path / "tokenpak.db")
    for number in range(1, 200):
        book.commit(told(number, AT + number))
    book.close()
    return tmp_path / "tokenpak.db"


def change(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_sound_store_has_no_findings(path):
    before = path.read_bytes()
    assert upkeep.findings(path) == []
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("INSERT INTO pass_tally VALUES ('nobody', 'p', 1, 1)", "belongs to no request"),
        ("DROP INDEX request_by_time", "index request_by_time is missing"),
        ("ALTER TABLE pass_tally ADD COLUMN more", "table pass_tally is another one"),
        ("PRAGMA user_version = 99", "schema 99"),
        ("PRAGMA application_id = 7", "another program"),
        ("UPDATE request_quarter SET requests = requests + 1", "sums of requests"),
    ],
)
def test_what_is_wrong_is_said(path, statement, finding):
    change(path, statement)
    (found,) = upkeep.findings(path)
    assert finding in found


def test_damage_is_found_where_the_check_at_start_may_not_look(path):
    with path.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(b"\xa5" * 4096 * 2)
    assert any("damage" in found or "cannot be read" in found for found in upkeep.findings(path))


def test_a_copy_is_made_while_the_writer_writes(path, tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "PAGES", 1)
    book = Book(path)
    book.commit(told(500, AT))
    target = tmp_path / "copy.db"
    assert upkeep.copy(path, target) == target.stat().st_size
    assert book.commit(told(501, AT))
    book.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert upkeep.findings(target) == []
    with contextlib.closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM request").fetchone() == (200,)


def test_nothing_is_overwritten_by_a_copy(path, tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    with pytest.raises(upkeep.CannotCopy):
        upkeep.copy(path, target)
    assert target.read_text() == "precious"


def test_a_copy_that_fails_leaves_nothing(tmp_path):
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"garbage " * 1000)
    with pytest.raises(upkeep.CannotCopy):
        upkeep.copy(garbage, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_an_old_file_is_rebuilt_so_that_it_gives_pages_back(path):
    change(path, "PRAGMA journal_mode = DELETE", "PRAGMA auto_vacuum = NONE", "VACUUM")
    assert not upkeep.gives_pages_back(path)
    upkeep.rebuild(path)
    assert upkeep.gives_pages_back(path)
    assert upkeep.findings(path) == []
    assert upkeep.version_of(path) == store.SCHEMA_VERSION
