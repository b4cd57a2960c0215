"""Values as people read them. Plain text: the quick commands import nothing to draw with."""

from collections.abc import Sequence

MINUTE, HOUR, DAY = 60, 3600, 86400
KIB = 1024


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart, no space at the end of a line."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def amount(count: int, noun: str) -> str:
    """`1 text`, `1,000 texts`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """The two largest units: 4s, 3m 4s, 2h 3m, 5d 2h; nothing for None."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE}m"
    return f"{whole // DAY}d {whole % DAY // HOUR}h"


def size(count: int) -> str:
    """Bytes in the largest binary unit that leaves at least one."""
    number, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < KIB:
            break
        number, unit = number / KIB, larger
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"
