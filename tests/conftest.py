"""Makes `tests/` importable, for what several rooms' tests share."""
