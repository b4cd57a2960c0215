"""Wall clocks that a test may step: on PYTHONPATH of a program, and of all that it starts, without a word to any of them.

Python imports a module of this name before anything else. It puts the hands of `time.time`, `time.time_ns` and the
`now`, `today` and `utcnow` of `datetime` forward or back by the seconds that stand in the file STEPPED_CLOCK names, read
anew at every look. Monotonic clocks are left alone, as they are where somebody sets a real clock; so are the times of
files and what C libraries see for themselves. A file that is not there, or is just being replaced, is no offset.
"""

import datetime as dt
import os
import time

_FILE = os.environ.get("STEPPED_CLOCK", "")
_true_ns = time.time_ns
_Datetime, _Date = dt.datetime, dt.date


def _now_ns() -> int:
    try:
        with open(_FILE) as file:  # noqa: PTH123 - every process of the tree pays for what is imported here
            return _true_ns() + int(float(file.read()) * 1e9)
    except (OSError, ValueError):
        return _true_ns()


class _AsBase(type):
    """What C code makes, and what is made by its own name, are instances of what stands in the place of both."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__base__ or object)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.__base__ or object)


class _Stepped(_Datetime, metaclass=_AsBase):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> _Datetime:
        return _Datetime.fromtimestamp(time.time(), tz)

    @classmethod
    def today(cls) -> _Datetime:
        return cls.now()

    @classmethod
    def utcnow(cls) -> _Datetime:
        return cls.now(dt.UTC).replace(tzinfo=None)


class _SteppedDate(_Date, metaclass=_AsBase):
    @classmethod
    def today(cls) -> _Date:
        return _Date.fromtimestamp(time.time())


if _FILE:
    time.time_ns = _now_ns
    time.time = lambda: _now_ns() / 1e9
    dt.datetime, dt.date = _Stepped, _SteppedDate  # type: ignore[misc] - replacing them is the point
