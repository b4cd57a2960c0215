"""The plan memory: how every block of every conversation was sent, shared by slots, surviving restarts.

A slot writes a record before the request it is about is sent, and reads what other slots wrote before it decides that its
own is the first word on a block; the file beneath is services/shared_log. What is held is bounded: conversations not used
for longest are forgotten, and the file is written anew with what is held.
"""

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tokenpak.core.patch import Form
from tokenpak.services.shared_log import SharedLog, Use

_FORM_COST = 120
"""Bytes that stand for a form's own size in the bound."""

FAMILY_FORMS = 16_384
"""Forms held of one family; they travel with each of its jobs. Beyond that it is begun anew."""


class _Record(msgspec.Struct, array_like=True):
    family: bytes
    forms: tuple[Form, ...] = ()
    stopped: bool = False


class _Family:
    __slots__ = ("forms", "size", "stopped")

    def __init__(self) -> None:
        self.forms: dict[bytes, Form] = {}
        self.stopped = False
        self.size = _FORM_COST


class PlanMemory:
    """Forms by conversation family. `path`: the file; `bound`: bytes held in memory, and about half of the file's most."""

    def __init__(self, path: Path, bound: int) -> None:
        self._bound = bound
        self._families: OrderedDict[bytes, _Family] = OrderedDict()
        self._size = self._forgotten = 0
        # A form that is known is not changed by being told again, and a slot may hold more than the one that wrote anew.
        use = Use(self._take, lambda: None, lambda _: self._held())
        self._log = SharedLog(path, msgspec.msgpack.Decoder(_Record), use, 2 * bound)

    def forms(self, family: bytes) -> tuple[Form, ...]:
        """Every form known for a conversation family."""
        self._log.follow()
        known = self._families.get(family)
        if known is None:
            return ()
        self._families.move_to_end(family)
        return tuple(known.forms.values())

    def stopped(self, family: bytes) -> bool:
        """True when new edits were stopped for a conversation family."""
        known = self._families.get(family)
        return known is not None and known.stopped

    def commit(self, family: bytes, forms: tuple[Form, ...]) -> bool:
        """Keep how blocks are about to be sent: all of them, or none and False where one has been sent otherwise."""
        return self._write(_Record(family, forms)) if forms else True

    def stop(self, family: bytes) -> None:
        """Make no new edits for a conversation family any more."""
        if not self.stopped(family):
            self._write(_Record(family, stopped=True))

    def statistics(self) -> dict[str, int]:
        """Families, forms and bytes held; records not on disk, or not readable there; families forgotten for want of room."""
        trouble = self._log.trouble()
        return {
            "families": len(self._families),
            "forms": sum(len(family.forms) for family in self._families.values()),
            "bytes": self._size,
            "unsaved": trouble.unsaved,
            "unread": trouble.unread,
            "forgotten": self._forgotten,
            "stopped": sum(family.stopped for family in self._families.values()),
        }

    def close(self) -> None:
        """Let go of the file."""
        self._log.close()

    def _take(self, record: _Record) -> None:
        known = self._families.pop(record.family, None)
        self._size -= known.size if known else 0
        known = self._families[record.family] = known or _Family()
        known.stopped = known.stopped or record.stopped
        if len(known.forms) + len(record.forms) > FAMILY_FORMS:
            known.forms, known.size = {}, _FORM_COST
            self._forgotten += 1
        for form in record.forms:
            if form.chain not in known.forms:
                known.forms[form.chain] = form
                known.size += _FORM_COST + sum(len(change.new) for change in form.changes)
        self._size += known.size
        while self._size > self._bound and len(self._families) > 1:
            self._size -= self._families.popitem(last=False)[1].size
            self._forgotten += 1

    def _write(self, record: _Record) -> bool:
        """Whether the record, as far as it is news, is kept; False where what is known contradicts it."""
        agrees = False

        def news() -> _Record | None:
            nonlocal agrees
            new = self._news(record)
            agrees = new is not None
            return new if new and (new.forms or new.stopped) else None

        self._log.write(news)
        return agrees

    def _news(self, record: _Record) -> _Record | None:
        """What of a record is not known yet; None where what is known contradicts it."""
        family = self._families.get(record.family)
        known = family.forms if family else {}
        if any(form.chain in known and known[form.chain].changes != form.changes for form in record.forms):
            return None
        return _Record(record.family, tuple(f for f in record.forms if f.chain not in known), record.stopped)

    def _held(self) -> Iterable[_Record]:
        return (_Record(name, tuple(known.forms.values()), known.stopped) for name, known in self._families.items())
