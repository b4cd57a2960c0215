"""The first schema: requests, and what passes did in them."""

from alembic import op

revision = "0001"
down_revision = None

REQUEST = """
CREATE TABLE request (
  id VARCHAR NOT NULL,
  front VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  opened_seq INTEGER,
  opened_ns INTEGER,
  method VARCHAR,
  path VARCHAR,
  client_request_id VARCHAR,
  provider VARCHAR,
  format VARCHAR,
  client VARCHAR,
  session VARCHAR,
  model_asked VARCHAR,
  stream BOOLEAN,
  closed_seq INTEGER,
  closed_ns INTEGER,
  status INTEGER,
  error_code VARCHAR,
  model_served VARCHAR,
  attempts INTEGER,
  tokens_uncached INTEGER,
  tokens_cache_read INTEGER,
  tokens_cache_write_5m INTEGER,
  tokens_cache_write_1h INTEGER,
  tokens_cache_write_other INTEGER,
  tokens_output INTEGER,
  tokens_reasoning INTEGER,
  usage_basis VARCHAR,
  bytes_before INTEGER,
  bytes_after INTEGER,
  bytes_response INTEGER,
  compression VARCHAR,
  reason VARCHAR,
  edits INTEGER,
  saved_tokens INTEGER,
  counter VARCHAR,
  plan_hash VARCHAR,
  defects INTEGER,
  echo BOOLEAN,
  queue_ms FLOAT,
  worker_ms FLOAT,
  first_byte_ms FLOAT,
  total_ms FLOAT,
  added_ms FLOAT,
  PRIMARY KEY (id)
)
"""

LINES_OF_PASSES = """
CREATE TABLE pass_tally (
  request_id VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  edits INTEGER NOT NULL,
  saved INTEGER NOT NULL,
  PRIMARY KEY (request_id, name),
  FOREIGN KEY (request_id) REFERENCES request (id) ON DELETE CASCADE
) WITHOUT ROWID
"""


def upgrade() -> None:
    op.execute(REQUEST)
    op.execute("CREATE INDEX request_by_time ON request (opened_ns)")
    op.execute("CREATE INDEX request_open ON request (front) WHERE state = 'open'")
    op.execute(LINES_OF_PASSES)
