"""docs/reference/tip.md against the code: labels, codes, headers and members."""

import re
from pathlib import Path

from tokenpak.telemetry.tip_events import CODES
from tokenpak.tip.capabilities import LABELS, UNPUBLISHED
from tokenpak.tip.errors import RESERVED
from tokenpak.tip.event import TelemetryEvent
from tokenpak.tip.headers import canonical, compression_line, response_headers

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "tip.md").read_text()


def first_column(heading: str, table: int = 0) -> list[str]:
    """What stands in code in the first column of a section's table."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)
    rows = tables[table].splitlines()[2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_the_headers_of_an_answer():
    assert first_column("Headers") == list(
        canonical([*response_headers("r", "tip-proxy", "unknown"), compression_line(1)])
    )


def test_the_labels():
    assert first_column("Capabilities") == list(LABELS)
    assert first_column("Capabilities", 1) == list(UNPUBLISHED)


def test_the_members_of_an_event_are_ones():
    named = {word.partition(".")[0] for word in first_column("Events")}
    assert named <= set(TelemetryEvent.__struct_fields__)
    assert named >= {"cache_origin", "savings_tokens", "savings_cache_tokens"}


def test_the_codes():
    section = PAGE.split("\n## Errors\n")[1].split("\n## ")[0]
    assert set(re.findall(r"`(tip\.[a-z.-]+)`", section)) <= RESERVED
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    told = {
        word: re.findall(r"`([^`]+)`", row.split("|")[2])[0]
        for row in rows
        for word in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    assert told == CODES
