"""Where the processes of the tree write their log: one JSON object a line to stderr, which supervisord keeps in files."""

import sys

import structlog


def write_log_to_stderr() -> None:
    """Call it once, first thing."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
