"""`tokenpak estimate`: past sessions of the user's own, read from clients' logs and replayed through engine and ledger.

turns: what a log is read into. claude_code, codex, recordings: one reader a format, each a function of lines or bytes.
logs: which files there are, and which reader is for which. head: the system prompt and tools that no log holds, by their
size. request: a turn as the body the client would have sent. replay: bodies through engine and ledger. rows: what is added
up. report, html: what is told. Everything here reads, and writes nothing but the report that was asked for.
"""
