import sqlite3

import pytest
from response_lab import frame, key, stored

from tokenpak.core.recall import Bounds
from tokenpak.services import response_file
from tokenpak.telemetry.response_store import ResponseStore


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a name with ? and #.db"
    store = ResponseStore(path, Bounds())
    store.put(frame(1, b"x", at_s=5))
    yield path
    store.close()


def test_an_answer_is_found_while_the_writer_has_the_file(path):
    assert response_file.find(path, key(1)) == stored(1, b"x", at_s=5)
    assert response_file.find(path, key(2)) is None


def test_without_a_file_there_is_no_answer_and_none_is_made(tmp_path):
    assert response_file.find(tmp_path / "none", key(1)) is None
    assert list(tmp_path.iterdir()) == []


def written(path, statement, *values):
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE answer SET frame = ?", (frame(1)[:-1] + b"?",)),
        ("UPDATE answer SET frame = ?", (frame(2),)),
        ("UPDATE answer SET frame = ?", (7,)),
        ("DROP TABLE answer", ()),
    ],
)
def test_what_is_damaged_is_told_from_what_is_not_there(path, statement, values):
    written(path, statement, *values)
    with pytest.raises(response_file.Unreadable):
        response_file.find(path, key(1))


def test_no_database_at_all(tmp_path):
    (tmp_path / "f").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(response_file.Unreadable):
        response_file.find(tmp_path / "f", key(1))


def test_deleted_is_all_of_it(path):
    response_file.delete(path)
    response_file.delete(path)
    assert list(path.parent.iterdir()) == []
