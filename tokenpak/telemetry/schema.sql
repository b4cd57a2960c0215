PRAGMA application_id = 1414545739;
PRAGMA user_version = 1;
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE pass_tally (
  request_id VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  edits INTEGER NOT NULL,
  saved INTEGER NOT NULL,
  PRIMARY KEY (request_id, name),
  FOREIGN KEY (request_id) REFERENCES request (id) ON DELETE CASCADE
) WITHOUT ROWID;
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
);
CREATE INDEX request_by_time ON request (opened_ns);
CREATE INDEX request_open ON request (front) WHERE state = 'open';
