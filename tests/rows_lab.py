"""A store with as many requests as one likes, made by SQL: agents at work for ninety days, until now."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tokenpak.telemetry.store import close_store, open_store

DAYS = 90
TURNS = 80
"""Requests of one session."""
BATCH = 10_000
MODELS = ("claude-opus-4-6", "claude-sonnet-4-5", "gpt-5.5", "gemini-3-pro", "of-no-price")
CLIENTS = ("claude-code", "codex", "aider")

Row = dict[str, object]


def fill(path: Path, count: int) -> None:
    """So many requests, the last of them a moment ago, with passes and savings."""
    close_store(open_store(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            requests = list(_requests(numbers, count))
            lines = [line for row in requests for line in _savings(row)]
            tallies = [(row["id"], "line-runs", 3, 500) for row in requests[::2]]
            names = list(requests[0])
            put = f"INSERT INTO request ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"  # noqa: S608
            with connection:
                connection.executemany(put, requests)
                connection.executemany("INSERT INTO saving VALUES (?, ?, ?, ?, ?, ?, ?)", lines)
                connection.executemany("INSERT INTO pass_tally VALUES (?, ?, ?, ?)", tallies)


def _requests(numbers: range, count: int) -> Iterator[Row]:
    step, now = DAYS * 86_400 * 10**9 // count, time.time_ns()
    for number in numbers:
        chance, session = random.Random(number), number // TURNS
        opened, uncached, read, written = (
            now - (count - number) * step,
            chance.randrange(2000),
            chance.randrange(99_999),
            900,
        )
        model = MODELS[session % 4] if number % 10 else MODELS[4]
        yield {
            "id": f"{opened // 10**6:012x}"[:8]
            + f"-{opened // 10**6 & 0xFFFF:04x}-7{number & 0xFFF:03x}-8000-{number:012x}",
            "front": f"{number // 5000:032x}",
            "state": "done",
            "opened_seq": 2 * number + 1,
            "opened_ns": opened,
            "method": "POST",
            "path": "/v1/messages",
            "provider": "anthropic",
            "format": "anthropic",
            "client": CLIENTS[session % 3],
            "session": f"session-{session}",
            "model_asked": model,
            "stream": 1,
            "closed_seq": 2 * number + 2,
            "closed_ns": opened + 9 * 10**9,
            "status": 200,
            "model_served": model,
            "attempts": 1,
            "tokens_uncached": uncached,
            "tokens_cache_read": read,
            "tokens_cache_write_5m": written,
            "tokens_output": chance.randrange(1500),
            "usage_basis": "provider",
            "bytes_before": 400_000,
            "bytes_after": 350_000,
            "bytes_response": 4000,
            "compression": "worker",
            "edits": 3,
            "saved_tokens": 500,
            "counter": "o200k_base",
            "plan_hash": f"{chance.getrandbits(128):032x}",
            "defects": 0,
            "echo": 0,
            "queue_ms": 0.5,
            "worker_ms": 1.5,
            "first_byte_ms": 400.5,
            "total_ms": 9000.5,
            "added_ms": 2.5,
            "project": f"project-{session % 12}",
            "cache_origin": "client",
            "cost_nanos": chance.randrange(10**8) if model != MODELS[4] else None,
            "price_id": "2026-11-01+abcdef01",
            "factor": 1.17,
            "expected_uncached": uncached,
            "expected_cache_read": read,
            "expected_cache_write_5m": written,
            "expected_cache_write_1h": 0,
            "expected_cache_write_other": 0,
        }


def _savings(row: Row) -> Iterator[tuple[object, ...]]:
    priced = row["cost_nanos"] is not None
    yield row["id"], "client", "provider_cache", "provider", 900, 80_000 if priced else None, None
    if hash(row["id"]) % 2:
        yield row["id"], "proxy", "compression", "estimate", 100, 5_000 if priced else None, 500 if priced else None
