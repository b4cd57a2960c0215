"""The tables against the schema of the migrations, against the events they must hold, and against TIP's telemetry event."""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel
from store_lab import dump, fresh_schema, opened, pair, rows

from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import RequestClosed, RequestOpened
from tokenpak.telemetry import store, tables
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.ingest import EXPECTED
from tokenpak.telemetry.queries import Reader

SNAPSHOT = Path(store.__file__).with_name("schema.sql")

TABLES = ("request", "pass_tally", "saving", "request_quarter", "saving_quarter")


def shape(connection):
    """What a schema is, however it was written down."""
    found = {}
    for table in TABLES:
        found[table] = [
            connection.execute(f"PRAGMA {what}({table})").fetchall() for what in ("table_info", "foreign_key_list")
        ]
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
    return found, connection.execute(indexes).fetchall()


def test_a_fresh_migration_makes_exactly_the_committed_schema(tmp_path):
    hint = "python tests/store_lab.py > tokenpak/telemetry/schema.sql"
    assert fresh_schema(tmp_path / "fresh.db") == SNAPSHOT.read_text(), hint


def test_the_models_describe_the_schema_of_the_migrations(tmp_path):
    fresh_schema(tmp_path / "migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'modelled.db'}")
    SQLModel.metadata.create_all(engine, [SQLModel.metadata.tables[name] for name in TABLES])
    engine.dispose()
    shapes = []
    for name in ("migrated.db", "modelled.db"):
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
            shapes.append(shape(connection))
            assert dump(connection).count("WITHOUT ROWID") == 4
    assert shapes[0] == shapes[1]


def test_every_fact_of_an_event_has_its_column():
    names = set(RequestOpened.__struct_fields__) | set(RequestClosed.__struct_fields__)
    names |= {f"tokens_{name}" for name in Usage.__struct_fields__}
    names |= {"opened_seq", "closed_seq", "edits", "saved_tokens", *EXPECTED.values()}
    assert set(tables.REQUESTS.c.keys()) == names - {"usage", "passes", "expected", "savings"}
    assert set(tables.SAVINGS.c.keys()) == {"request_id", *SavingLine.__struct_fields__}


def tip_event(row, money=0.0):
    """TIP-1.0's telemetry event (schema telemetry-event-v1) of a stored request; money comes from prices, not from here."""
    usage, at = row.usage, datetime.fromtimestamp((row.opened_ns or row.closed_ns) / 1e9, UTC)
    read = usage.cache_read or 0
    parts = (usage.uncached, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.cache_write_other)
    tokens_in = sum(part or 0 for part in parts)
    reasoned = usage.reasoning is not None
    return {
        "request_id": row.client_request_id or row.id,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "cache_origin": "client" if read else "unknown",
        "tip_version": "TIP-1.0",
        "profile": "tip-proxy",
        "provider": row.provider,
        "model": row.model_served or row.model_asked,
        "client": row.client,
        "status": row.status or 0,
        "error_code": row.error_code,
        "savings_tokens": max(0, row.saved_tokens or 0),
        "savings_cost": money,
        "savings_cache_tokens": read,
        "savings_cache_cost": money,
        "compression_ms": (row.queue_ms or 0) + (row.worker_ms or 0),
        "proxy_ms": row.added_ms or 0,
        "provider_ms": row.first_byte_ms or 0,
        "tokens_in": tokens_in,
        "tokens_out": usage.output or 0,
        "reasoning_tokens": usage.reasoning,
        "visible_output_tokens": usage.output - usage.reasoning if reasoned else None,
        "total_billable_tokens": tokens_in + usage.output if usage.output is not None else None,
        "reasoning_effort": None,
        "reasoning_usage_source": "provider_usage_object" if reasoned else "unavailable",
        "capabilities_negotiated": [],
        "ext": {},
    }


@pytest.fixture
def book(tmp_path):
    it = Book(tmp_path / "store.db")
    yield it
    it.close()


def test_tips_telemetry_event_can_be_made_of_a_row(book, tmp_path):
    assert book.commit(pair(1))
    with Reader(tmp_path / "store.db") as reader:
        event = tip_event(reader.by_id(opened(1).id))
    assert event["request_id"] == "client-1"
    assert event["timestamp"] == "1970-01-01T00:00:00.001000Z"
    assert (event["tokens_in"], event["tokens_out"], event["visible_output_tokens"]) == (150, 60, 53)
    assert (event["savings_tokens"], event["savings_cache_tokens"], event["cache_origin"]) == (90, 20, "client")
    assert (event["compression_ms"], event["proxy_ms"], event["provider_ms"]) == (2.0, 2.5, 400.0)
    assert (event["model"], event["provider"], event["status"]) == ("served", "anthropic", 200)


def test_tips_telemetry_event_of_a_refused_request_has_the_nulls_it_must(book, tmp_path):
    refused = RequestClosed(opened(1).id, 5, "refused", status=None, error_code="no_route")
    events = [opened(1, provider=None, model_asked=None, client_request_id=None), refused]
    assert book.commit([msgspec.structs.replace(e, event=v) for e, v in zip(pair(1), events, strict=True)])
    with Reader(tmp_path / "store.db") as reader:
        event = tip_event(reader.by_id(opened(1).id))
    assert (event["provider"], event["model"], event["status"]) == (None, None, 0)
    assert (event["request_id"], event["error_code"], event["cache_origin"]) == (opened(1).id, "no_route", "unknown")
    assert event["total_billable_tokens"] is None


def test_the_client_may_repeat_its_id(book, tmp_path):
    same = [
        msgspec.structs.replace(envelope, event=msgspec.structs.replace(envelope.event, client_request_id="same"))
        for number in (1, 2)
        for envelope in pair(number)[:1]
    ]
    assert book.commit(same)
    assert rows(tmp_path / "store.db", "client_request_id") == [("same",), ("same",)]
