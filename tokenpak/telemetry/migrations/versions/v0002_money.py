"""Money: what a request cost, what its cache was expected to do, what was saved and by whom; and where it belongs.

Reports over all time add up a million rows, so the sums are kept as rows come and go: for each quarter of an hour (every
time zone's days begin at one), client, model and project. Triggers keep them, in the transaction that writes the row;
whatever order events arrive in, the sums are those of the rows. A sum nobody contributed to is NULL.
"""

# ruff: noqa: S608 statements are put together from names of our own

from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = (
    "project VARCHAR",
    "cache_origin VARCHAR",
    "cost_nanos INTEGER",
    "price_id VARCHAR",
    "factor FLOAT",
    "expected_uncached INTEGER",
    "expected_cache_read INTEGER",
    "expected_cache_write_5m INTEGER",
    "expected_cache_write_1h INTEGER",
    "expected_cache_write_other INTEGER",
    "miss VARCHAR",
    "miss_tokens INTEGER",
)

SAVING = """
CREATE TABLE saving (
  request_id VARCHAR NOT NULL,
  cause VARCHAR NOT NULL,
  mechanism VARCHAR NOT NULL,
  basis VARCHAR NOT NULL,
  tokens INTEGER,
  nanos INTEGER,
  spread_nanos INTEGER,
  PRIMARY KEY (request_id, cause, mechanism),
  FOREIGN KEY (request_id) REFERENCES request (id) ON DELETE CASCADE
) WITHOUT ROWID
"""


KEYS = "quarter, client, model, project"
"""An unknown client, model or project is '' here: a key cannot be NULL."""

CLASSES = ("uncached", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
COUNTS = ("requests", "priced", "unpriced", "unreported", "reported", "compared")
SUMS = (
    "cost_nanos",
    *(f"tokens_{name}" for name in (*CLASSES, "output", "reasoning")),
    *(f"expected_{name}" for name in CLASSES),
    *(f"found_{name}" for name in CLASSES),
)

REQUEST_QUARTER = f"""
CREATE TABLE request_quarter (
  quarter INTEGER NOT NULL,
  client VARCHAR NOT NULL,
  model VARCHAR NOT NULL,
  project VARCHAR NOT NULL,
  {" ".join(f"{name} INTEGER NOT NULL," for name in COUNTS)}
  {" ".join(f"{name} INTEGER," for name in SUMS)}
  PRIMARY KEY ({KEYS})
) WITHOUT ROWID
"""

SAVING_QUARTER = f"""
CREATE TABLE saving_quarter (
  quarter INTEGER NOT NULL,
  client VARCHAR NOT NULL,
  model VARCHAR NOT NULL,
  project VARCHAR NOT NULL,
  cause VARCHAR NOT NULL,
  mechanism VARCHAR NOT NULL,
  basis VARCHAR NOT NULL,
  requests INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  tokens INTEGER,
  nanos INTEGER,
  spread_nanos INTEGER,
  PRIMARY KEY ({KEYS}, cause, mechanism, basis)
) WITHOUT ROWID
"""


def keys(row: str) -> str:
    """The keys of a row's sums."""
    return (
        f"{row}.opened_ns / 900000000000, coalesce({row}.client, ''), "
        f"coalesce({row}.model_served, {row}.model_asked, ''), coalesce({row}.project, '')"
    )


def added(names: tuple[str, ...]) -> str:
    return ", ".join(
        f"{n} = CASE WHEN excluded.{n} IS NULL THEN {n} ELSE ifnull({n}, 0) + excluded.{n} END" for n in names
    )


def request_sums(row: str, sign: str, source: str = "") -> str:
    """Add a row to its sums, or take it out: sign "" or "-"."""
    told = f"{row}.usage_basis IS 'provider'"
    compared = f"({told} AND {row}.expected_uncached IS NOT NULL)"
    sent = f"{row}.state IN ('done', 'client_gone') AND {row}.usage_basis IS NOT 'count' AND {row}.attempts > 0"
    counts = (
        "1",
        f"({row}.cost_nanos IS NOT NULL)",
        f"({told} AND {row}.cost_nanos IS NULL)",
        f"ifnull(NOT {told} AND {row}.cost_nanos IS NULL AND {sent}, 0)",
        told,
        compared,
    )
    sums = (
        f"{row}.cost_nanos",
        *(f"CASE WHEN {told} THEN {row}.tokens_{name} END" for name in (*CLASSES, "output", "reasoning")),
        *(f"CASE WHEN {compared} THEN {row}.expected_{name} END" for name in CLASSES),
        *(f"CASE WHEN {compared} THEN {row}.tokens_{name} END" for name in CLASSES),
    )
    values = ", ".join(f"{sign}({value})" for value in (*counts, *sums))
    return (
        f"INSERT INTO request_quarter SELECT {keys(row)}, {values} {source} WHERE {row}.opened_ns IS NOT NULL "
        f"ON CONFLICT DO UPDATE SET {added((*COUNTS, *SUMS))};"
    )


def without_nothing(table: str, row: str) -> str:
    return f"DELETE FROM {table} WHERE ({KEYS}) = ({keys(row)}) AND requests = 0;"


def saving_sums(row: str, line: str, sign: str, source: str) -> str:
    values = ", ".join(f"{sign}({value})" for value in ("1", f"{line}.nanos IS NULL", *(f"{line}.{n}" for n in SAVED)))
    return (
        f"INSERT INTO saving_quarter SELECT {keys(row)}, {line}.cause, {line}.mechanism, {line}.basis, {values} {source} "
        f"AND {row}.opened_ns IS NOT NULL ON CONFLICT DO UPDATE SET {added(('requests', 'unpriced', *SAVED))};"
    )


SAVED = ("tokens", "nanos", "spread_nanos")
_KEYED = ("opened_ns", "client", "model_served", "model_asked", "project")
_MOVED = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _KEYED)
_ITS_ROW = "FROM request r WHERE r.id = {0}.request_id"
_ITS_LINES = "FROM saving s WHERE s.request_id = {0}.id"

TRIGGERS = {
    "request_comes": f"AFTER INSERT ON request BEGIN {request_sums('NEW', '')} END",
    "request_changes": "AFTER UPDATE ON request BEGIN "
    f"{request_sums('OLD', '-')} {request_sums('NEW', '')} {without_nothing('request_quarter', 'OLD')} END",
    "request_moves": f"AFTER UPDATE ON request WHEN {_MOVED} BEGIN "
    f"{saving_sums('OLD', 's', '-', _ITS_LINES.format('OLD'))} {saving_sums('NEW', 's', '', _ITS_LINES.format('NEW'))} "
    f"{without_nothing('saving_quarter', 'OLD')} END",
    # The lines go first, while the row still says where they belong.
    "request_goes": "BEFORE DELETE ON request BEGIN DELETE FROM saving WHERE request_id = OLD.id; "
    f"{request_sums('OLD', '-')} {without_nothing('request_quarter', 'OLD')} END",
    "saving_comes": f"AFTER INSERT ON saving BEGIN {saving_sums('r', 'NEW', '', _ITS_ROW.format('NEW'))} END",
    "saving_goes": f"AFTER DELETE ON saving BEGIN {saving_sums('r', 'OLD', '-', _ITS_ROW.format('OLD'))} "
    f"DELETE FROM saving_quarter WHERE ({KEYS}) IN (SELECT {keys('r')} {_ITS_ROW.format('OLD')}) AND requests = 0; END",
}


def upgrade() -> None:
    for column in COLUMNS:
        op.execute(f"ALTER TABLE request ADD COLUMN {column}")
    op.execute("CREATE INDEX request_by_session ON request (session)")
    connection = op.get_bind()
    for table in (SAVING, REQUEST_QUARTER, SAVING_QUARTER):
        connection.exec_driver_sql(table)
    connection.exec_driver_sql(request_sums("r", "", "FROM request r"))
    for name, body in TRIGGERS.items():
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {body}")
