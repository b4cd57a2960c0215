"""Reports on our own mistakes: which error, where, and nothing of what passed through.

Messages of exceptions are left out on purpose, and so are local variables: h11 quotes the header it objects to, and that
may be a credential.
"""

import traceback

import structlog

_log = structlog.get_logger()
_FRAMES = 8


def report(event: str, error: BaseException) -> None:
    """Log a defect: its kind and the innermost places it came through, one line for each error of a group."""
    for leaf in _leaves(error):
        frames = traceback.extract_tb(leaf.__traceback__)[-_FRAMES:]
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
        _log.error(event, error=type(leaf).__name__, at=places)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
