"""Schema migrations of the store: alembic scripts carried in the package, run by `telemetry.store` without an ini file."""
