"""A store of its own for each test: where it lies, the book that writes it, a reader of it."""

import pytest

from tokenpak.telemetry.book import Book
from tokenpak.telemetry.queries import Reader


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokenpak.db"


@pytest.fixture
def book(path):
    it = Book(path)
    yield it
    it.close()


@pytest.fixture
def reader(book, path):
    with Reader(path) as it:
        yield it
