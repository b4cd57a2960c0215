r"""The grammar of what a model reads: one line in square brackets that says in plain words what it stands for.

Shared by the passes, which write markers, and by `expand`, which reads them. Every marker has the same shape: what it is
about, a colon, what is to be known of it, and a check. No tool, index or legend is needed to understand one.

    [lines 12-66: same as in Read cli/clean.go #482913]
    [lines 14-68: same as lines 12-66 of Read cli/clean.go #482913]
    [lines 1-90, numbered as "     1→": same as content of Write cli/clean.go from "package cli" #482913]
    [42 lines: same as assistant text from "## Plan" #482913]
    [lines 70-222: same as there #482913]
    [30 lines: same as there from "## Costs" #482913]
    [whole text: same as get_user_details sophia_silva_7557 #482913]
    [<system-reminder>: same as the one before #482913]
    [first line: same as in the Edit before #482913]
    [next 112 lines: each begins with "ci (macos-latest)\tRun tests\t2026-07-13T20:" #482913]
    [next 6 lines: found in cmd/entire/cli/hook_registry.go #482913]
    [line numbers: shown without padding #482913]
    [next line: JSON, shown without white space (", " and ": ") #482913]
    [next line: JSON, shown without white space (indent 2), lists of objects as keys and rows #482913]

"there" is where the marker before it in the same text has led. The number behind # is a check over everything that
stands before the marker, its own words and the text it stands for. It is what tells a marker from text that only looks
like one: a marker quoted, echoed into a file or planted by a tool stands at another place, its check is wrong there, and
it is text.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

THERE: Final = "there"
"""The label of the source that the marker before this one, in the same text, has led to."""

_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_TARGET = r'(?:lines [0-9]+-[0-9]+|[0-9]+ lines)(?:, numbered as "[^"\n]{1,20}?")?'
_LAYOUT = r'(?:", " and ": "|indent [0-9])'
_SHAPES = (
    rf"{_TARGET}: same as [^\n]{{1,600}}?",
    r"whole text: same as [^\n]{1,600}?",
    r'next [0-9]+ lines: each begins with "[^\n]{1,600}?"',
    r"next [0-9]+ lines: found in [^\n]{1,600}?",
    r"line numbers: shown without padding",
    r"<[a-z][a-z0-9_-]{2,40}>: same as the one before",
    r"first line: same as in the [^\s]{1,80} before",
    rf"next line: JSON, (?:shown without white space \({_LAYOUT}\)|(?:shown without white space \({_LAYOUT}\), )?lists of objects as keys and rows)",
)
LOOKS_LIKE = re.compile(rf"\[(?:{'|'.join(_SHAPES)}) #[0-9]{{6}}\]")
"""Finds whatever reads like a marker, for texts that must not be touched and for the watch on a model's output."""

CANDIDATE = re.compile(rf"(?:^|(?<=(?<!\\)\\n)){LOOKS_LIKE.pattern}(?=$|\\n)", re.MULTILINE)
"""Finds what may be a marker: a whole line, or a whole line inside a JSON string."""

_REFERENCE = re.compile(
    r"\[(?:lines (?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9})|(?P<count>[0-9]{1,9}) lines)"
    r'(?:, numbered as "(?P<prefix>[^"\n]{1,20})")?: same as '
    r"(?:in (?P<alike>.+?)|(?P<alike_there>there)|lines (?P<from>[0-9]{1,9})-(?P<to>[0-9]{1,9}) (?:of (?P<numbered>.+?)|(?P<numbered_there>there))|"
    rf"(?P<anchored>.+?) from (?P<anchor>{_QUOTED}))"
    r" #(?P<check>[0-9]{6})\]"
)
_WHOLE = re.compile(r"\[whole text: same as (.+) #([0-9]{6})\]")
_PREFIXED = re.compile(rf"\[next ([0-9]{{1,9}}) lines: each begins with ({_QUOTED}) #([0-9]{{6}})\]")
_FOUND_IN = re.compile(r"\[next ([0-9]{1,9}) lines: found in (.+) #([0-9]{6})\]")
_REPEATED = re.compile(r"\[<([a-z][a-z0-9_-]{2,40})>: same as the one before #([0-9]{6})\]")
_FIRST_LINE = re.compile(r"\[first line: same as in the (\S{1,80}) before #([0-9]{6})\]")
_UNPADDED = re.compile(r"\[line numbers: shown without padding #([0-9]{6})\]")
_JSON = re.compile(
    rf"\[next line: JSON, (?:shown without white space \(({_LAYOUT})\))?(, )?(lists of objects as keys and rows)? #([0-9]{{6}})\]"
)

_ENDS = re.compile(r"#[0-9]{6}\]")
"""Every marker ends so. Without the blank before it the search is for one character, which is several times as fast."""
_ANCHOR = 40


def candidates(text: str) -> Iterator[re.Match[str]]:
    """What may be a marker in a text, in order. Only lines that hold the end of one are looked at."""
    at = 0
    while end := _ENDS.search(text, at):
        start, at = text.rfind("\n", 0, end.start()) + 1, text.find("\n", end.end())
        at = len(text) if at < 0 else at
        yield from CANDIDATE.finditer(text, start, at)


class Reference(msgspec.Struct, frozen=True):
    """Lines that stand elsewhere. count: how many. first: displayed number of the first, None where not numbered.

    prefix: the first line's number as displayed, only where nothing else in sight shows the style.
    label: the source. lines: displayed numbers of the first and last source line; or anchor: how the first one begins.
    """

    count: int
    label: str
    first: int | None = None
    prefix: str | None = None
    lines: tuple[int, int] | None = None
    anchor: str | None = None
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        target = f"{self.count} lines" if self.first is None else f"lines {self.first}-{self.first + self.count - 1}"
        if self.prefix is not None:
            target += f', numbered as "{self.prefix}"'
        return f"{target}: same as {self._source()}"

    def _source(self) -> str:
        there = self.label == THERE
        if self.lines is None:
            return f"{self.label} from {msgspec.json.encode(self.anchor).decode()}"
        if self.lines[0] == self.first:
            return self.label if there else f"in {self.label}"
        return f"lines {self.lines[0]}-{self.lines[1]} {self.label if there else f'of {self.label}'}"


class Whole(msgspec.Struct, frozen=True):
    """A whole text that is the same as an earlier one. label: the nearest earlier text of that name."""

    label: str
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        return f"whole text: same as {self.label}"


class Repeated(msgspec.Struct, frozen=True):
    """A block between the lines of a tag that is the same as the nearest earlier one of that tag."""

    tag: str
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        return f"<{self.tag}>: same as the one before"


class FirstLine(msgspec.Struct, frozen=True):
    """The first line of a result, when it is that of the nearest earlier result of the tool that shows its own."""

    tool: str
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        return f"first line: same as in the {self.tool} before"


class Prefixed(msgspec.Struct, frozen=True):
    """The next `count` lines, each without the `prefix` it begins with."""

    count: int
    prefix: str
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        return f"next {self.count} lines: each begins with {msgspec.json.encode(self.prefix).decode()}"


class FoundIn(msgspec.Struct, frozen=True):
    """The next `count` lines of a search, each without the path it begins with and the sign between path and number."""

    count: int
    path: str
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        return f"next {self.count} lines: found in {self.path}"


class Unpadded(msgspec.Struct, frozen=True):
    """Line numbers in the rest of the text, without the blanks before them."""

    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        return "line numbers: shown without padding"


class Json(msgspec.Struct, frozen=True):
    """The next line is JSON, rewritten. layout: the white space it came with, "" where it has all its own still.

    rows: whether lists of objects with the same keys are written as keys and rows.
    """

    layout: str
    rows: bool
    check: str = "000000"

    def words(self) -> str:
        """What stands between the bracket and the check."""
        space = f"shown without white space ({self.layout})" if self.layout else ""
        lists = "lists of objects as keys and rows" if self.rows else ""
        return "next line: JSON, " + ", ".join(filter(None, (space, lists)))


Marker = Reference | Whole | Repeated | FirstLine | Prefixed | FoundIn | Unpadded | Json
_M = TypeVar("_M", bound=Marker)


def render(marker: Marker) -> str:
    """The words of a marker."""
    return f"[{marker.words()} #{marker.check}]"


def parse(line: str) -> Marker | None:
    """The marker a line is, or None. Each marker has one spelling: what `render` would not write is none."""
    marker = _meant(line) if LOOKS_LIKE.fullmatch(line) else None
    return marker if marker and render(marker) == line else None


def _meant(line: str) -> Marker | None:
    if match := _REFERENCE.fullmatch(line):
        return _reference(match)
    if match := _WHOLE.fullmatch(line):
        return Whole(match[1], match[2])
    if match := _REPEATED.fullmatch(line):
        return Repeated(match[1], match[2])
    if match := _FIRST_LINE.fullmatch(line):
        return FirstLine(match[1], match[2])
    if match := _PREFIXED.fullmatch(line):
        prefix = _unquoted(match[2])
        return Prefixed(int(match[1]), prefix, match[3]) if prefix and "\n" not in prefix else None
    if match := _FOUND_IN.fullmatch(line):
        return FoundIn(int(match[1]), match[2], match[3])
    if match := _UNPADDED.fullmatch(line):
        return Unpadded(match[1])
    if match := _JSON.fullmatch(line):
        return Json(match[1] or "", match[3] is not None, match[4])
    return None


def _reference(match: re.Match[str]) -> Reference | None:
    found = match.groupdict()
    first = int(found["first"]) if found["first"] else None
    count = int(found["last"]) - first + 1 if first is not None else int(found["count"])
    lines = None
    if (found["alike"] or found["alike_there"]) and first is not None:
        lines = (first, first + count - 1)
    elif found["from"] is not None:
        lines = (int(found["from"]), int(found["to"]))
    anchor = None if found["anchor"] is None else _unquoted(found["anchor"])
    if lines is None and (not anchor or "\n" in anchor or anchor_of(anchor) != anchor):
        return None
    if count < 1 or (lines is not None and lines[1] - lines[0] + 1 != count):
        return None
    told = ("alike", "alike_there", "numbered", "numbered_there", "anchored")
    label = next(found[each] for each in told if found[each] is not None)
    return Reference(count, label, first, found["prefix"], lines, anchor, found["check"])


def _unquoted(text: str) -> str | None:
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        return None


class Place(msgspec.Struct, frozen=True):
    """Where a text stands: the chain before its block, and its index among the block's texts."""

    chain: bytes
    part: int

    def check(self, marker: Marker, at: int, stands_for: str) -> str:
        """The check of a marker: six digits over its place in the original, what it says, and the text it stands for."""
        said = marker.words().encode("utf-8", "surrogatepass")
        h = hashlib.sha256(self.chain + b"%d:%d:%d:" % (self.part, at, len(said)))
        h.update(said)
        h.update(stands_for.encode("utf-8", "surrogatepass"))
        return f"{int.from_bytes(h.digest()[:8], 'big') % 1_000_000:06d}"

    def signed(self, marker: _M, at: int, stands_for: str) -> _M:
        """The marker with its check. at: where the text it stands for begins, in characters of the original."""
        return msgspec.structs.replace(marker, check=self.check(marker, at, stands_for))


def anchor_of(line: str) -> str:
    """How a line begins, as a marker quotes it."""
    return line.lstrip()[:_ANCHOR].rstrip()


def looks_like(text: str) -> bool:
    """True when a text has anything that reads like a marker: such a text is opaque."""
    return "#" in text and _ENDS.search(text) is not None and LOOKS_LIKE.search(text) is not None
