"""The store: tables, migrations, the writer's ingest and read-only questions."""
