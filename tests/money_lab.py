"""Requests with money in them, at times of one's choice, for the tests of reports."""

from store_lab import FRONT, closed, opened

from tokenpak.core.ledger import Used
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import Envelope

HOUR_NS = 3600 * 10**9
COMPRESSED = SavingLine("proxy", "compression", "estimate", 100, 5_000, 500)
CACHED = SavingLine("client", "provider_cache", "provider", 900, 80_000)
USED = Usage(10, 20, 30, None, None, 40, 5)


def told(number, at_ns, opening=None, **close):
    """Both events of a request that cost 1000 nano-dollars, unless `close` says otherwise."""
    money = {
        "closed_ns": at_ns + 10**9,
        "usage": USED,
        "cost_nanos": 1_000,
        "expected": Used(20, 10, 30),
        "savings": (COMPRESSED, CACHED),
    }
    return [
        Envelope(FRONT, 2 * number + 1, opened(number, opened_ns=at_ns, **(opening or {}))),
        Envelope(FRONT, 2 * number + 2, closed(number, **(money | close))),
    ]
