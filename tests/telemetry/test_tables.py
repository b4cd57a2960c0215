"""The tables against the schema of the migrations, against the events they must hold, and against what TIP's event is made of."""

import contextlib
import sqlite3
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel
from store_lab import closed, dump, fresh_schema, opened, pair, rows

from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import RequestClosed, RequestOpened
from tokenpak.telemetry import store, tables
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.ingest import EXPECTED
from tokenpak.telemetry.queries import Reader
from tokenpak.telemetry.tip_events import tip_event

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


@pytest.fixture
def book(tmp_path):
    it = Book(tmp_path / "store.db")
    yield it
    it.close()


def event_of(tmp_path, number):
    """TIP's event of a stored row, as another program reads it."""
    with Reader(tmp_path / "store.db") as reader:
        return msgspec.json.decode(msgspec.json.encode(tip_event(reader.by_id(opened(number).id))))


def test_a_row_holds_all_that_tips_event_is_made_of(book, tmp_path):
    saved = SavingLine("proxy", "compression", "estimate", 90, 2_500_000)
    cached = SavingLine("client", "provider_cache", "provider", 20, 1_000_000)
    first, second = pair(1)
    closing = closed(1, savings=(saved, cached), cache_origin="client", cost_nanos=7, web_searches=3)
    assert book.commit([first, msgspec.structs.replace(second, event=closing)])
    event = event_of(tmp_path, 1)
    assert event["request_id"] == "client-1"
    assert event["timestamp"] == "1970-01-01T00:00:00.001000Z"
    assert (event["tokens_in"], event["tokens_out"], event["visible_output_tokens"]) == (150, 60, 53)
    assert (event["savings_tokens"], event["savings_cost"]) == (90, 0.0025)
    assert (event["cache_origin"], event["savings_cache_tokens"], event["savings_cache_cost"]) == ("client", 20, 0.001)
    assert (event["compression_ms"], event["proxy_ms"], event["provider_ms"]) == (2.0, 2.5, 400.0)
    assert (event["model"], event["provider"], event["status"]) == ("served", "anthropic", 200)
    own = event["ext"]["tokenpak"]
    assert (own["id"], own["cost_nanos"], own["web_searches"]) == (opened(1).id, 7, 3)
    assert own["passes"] == {"line-runs": {"edits": 3, "saved": 90}}


def test_what_passes_took_out_is_no_saving_until_the_ledger_says_so(book, tmp_path):
    assert book.commit(pair(1))
    with Reader(tmp_path / "store.db") as reader:
        assert reader.by_id(opened(1).id).saved_tokens == 90
    assert event_of(tmp_path, 1).keys().isdisjoint({"savings_tokens", "savings_cost", "savings_cache_tokens"})


def test_a_refused_request_has_the_nulls_it_must(book, tmp_path):
    refused = RequestClosed(opened(1).id, 5, "refused", status=None, error_code="no_route")
    events = [opened(1, provider=None, model_asked=None, client_request_id=None), refused]
    assert book.commit([msgspec.structs.replace(e, event=v) for e, v in zip(pair(1), events, strict=True)])
    event = event_of(tmp_path, 1)
    assert (event["provider"], event["model"], event["status"]) == (None, None, 0)
    assert (event["request_id"], event["cache_origin"]) == (opened(1).id, "unknown")
    assert event["error_code"] == "ext.tokenpak.provider-no-route"  # no word of ours, so a provider's
    assert event["total_billable_tokens"] is None
    assert event.keys().isdisjoint({"tokens_in", "tokens_out", "compression_ms", "provider_ms", "savings_tokens"})
    nulls = ("usage_basis", "cost_nanos", "web_searches", "compression", "counter", "miss")
    (row,) = rows(tmp_path / "store.db", ", ".join(nulls))
    assert row == (None,) * len(nulls)


def test_the_client_may_repeat_its_id(book, tmp_path):
    same = [
        msgspec.structs.replace(envelope, event=msgspec.structs.replace(envelope.event, client_request_id="same"))
        for number in (1, 2)
        for envelope in pair(number)[:1]
    ]
    assert book.commit(same)
    assert rows(tmp_path / "store.db", "client_request_id") == [("same",), ("same",)]
