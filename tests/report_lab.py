"""A state directory with a few requests of today in it, for the tests of what shows them."""

import time

from money_lab import told

from tokenpak.config.paths import paths_for
from tokenpak.core.ledger import Used
from tokenpak.core.usage import Usage
from tokenpak.telemetry.book import Book


def fill(place):
    """1: priced. 2: no price. 3: another client and model, open. Returns the time they came, in nanoseconds."""
    at = time.time_ns()
    book = Book(paths_for(place).database)
    book.commit(told(1, at, {"project": "pak"}, cost_nanos=1_500_000_000, miss="expired", miss_tokens=77))
    book.commit(told(2, at, model_served="mystery", cost_nanos=None, savings=(), expected=Used(5), usage=Usage(5)))
    book.commit(told(3, at, {"client": "aider"})[:1])
    book.close()
    return at
