"""The requests that end from now on, each once, however late they are written.

By the clock some would be missed: a writer that was down writes what ended long ago, and when a front dies nobody knows when
its requests ended. So rows are followed by the order in which they came, and those that are open by being open no longer.
"""

from collections.abc import Iterator

from tokenpak.telemetry.queries import Reader, StoredRequest
from tokenpak.telemetry.tip_events import is_over


class Following:
    """since: the number of the last row that is no news. open: the requests that have not ended, which is all that is held."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.since = reader.last_row()
        self.open = set(reader.open_ids())
        _, newest = reader.came_after(self.since - 1)
        self._last = newest[0].id if newest else ""

    def look(self) -> Iterator[StoredRequest]:
        """Those that were not given yet."""
        # Less where rows were numbered anew. And one back, since the number of a row that retention took is given again.
        last = min(self.since, self._reader.last_row()) - 1
        while (came := self._reader.came_after(last))[1]:
            last, rows = came
            yield from filter(self._ends, (row for row in rows if row.id != self._last))
            self._last = rows[-1].id
        self.since = max(last, 0)
        for id_ in sorted(self.open - self._reader.open_ids()):
            self.open.discard(id_)
            ended = self._reader.by_id(id_)
            if ended is not None and is_over(ended):  # retention may have taken it
                yield ended

    def _ends(self, row: StoredRequest) -> bool:
        """Whether it has ended; held where it has not."""
        (self.open.discard if is_over(row) else self.open.add)(row.id)
        return is_over(row)
