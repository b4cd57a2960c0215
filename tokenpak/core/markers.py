"""The grammar of what a model reads: markers, the names of sources, and displayed line numbers.

Shared by the passes, which write markers, and by `expand`, which reads them; nothing else is shared between the two.
A marker stands alone on its line and says in plain words which lines it stands for and where the same lines can be
read, by what the model sees: the tool, its path or command, the numbers displayed there, or how the first line begins.

    [lines 12-66: same as in Read cli/clean.go #482913]
    [lines 14-68: same as lines 12-66 of Read cli/clean.go #482913]
    [lines 1-90, numbered as "     1→": same as content of Write cli/clean.go from "package cli" #482913]
    [42 lines: same as assistant text from "## Plan" #482913]

The number behind # is a check over everything that stands before the marker, its own words and the lines it stands
for. It is what tells a marker from text that only looks like one: a marker quoted, echoed into a file or planted by a tool stands at
another place, its check is wrong there, and it is text.
"""

import hashlib
import re
from collections.abc import Sequence

import msgspec

from tokenpak.core.body.model import Block, Kind

SELF = "this text"
"""The label of the text a marker itself stands in."""

USER_TEXT = "user text"
ASSISTANT_TEXT = "assistant text"
NAMELESS_RESULT = "tool result"

LOOKS_LIKE = re.compile(
    r"\[(?:lines [0-9]+-[0-9]+|[0-9]+ lines)(?:, numbered as \"[^\n]{1,20}?\")?: same as [^\n]{1,600}? #[0-9]{6}\]"
)
"""Finds whatever reads like a marker, for texts that must not be touched and for the watch on a model's output."""

_MARKER = re.compile(
    r"\[(?:lines (?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9})|(?P<count>[0-9]{1,9}) lines)"
    r'(?:, numbered as "(?P<prefix>[^"\n]{1,20})")?: same as '
    r"(?:in (?P<alike>.+?)|lines (?P<from>[0-9]{1,9})-(?P<to>[0-9]{1,9}) of (?P<numbered>.+?)|"
    r'(?P<anchored>.+?) from (?P<anchor>"(?:[^"\\]|\\.)*"))'
    r" #(?P<check>[0-9]{6})\]"
)
CANDIDATE = re.compile(r"^\[[^\n]*: same as [^\n]* #[0-9]{6}\]$", re.MULTILINE)
"""Finds the lines that may be markers."""

_HINT = ": same as "
_NUMBER = r"( {0,10})(0|[1-9][0-9]{0,6})(→|\t|:)"
_LINE = re.compile(rf"^(?:{_NUMBER})?(.*)", re.MULTILINE)
_NUMBERED = re.compile(rf"^{_NUMBER}", re.MULTILINE)
_PATHS = ("file_path", "path", "filename", "file_name", "file", "notebook_path", "absolute_path", "target_file")
_COMMANDS = ("command", "cmd", "pattern", "query", "url", "input")
_SHORT_COMMAND, _LONG_COMMAND, _ANCHOR = 48, 160, 40


class Style(msgspec.Struct, frozen=True):
    """How a text numbers its lines: width to which numbers are padded with blanks (0: not), and what follows them."""

    width: int
    separator: str

    def prefix(self, number: int) -> str:
        """What stands before the text of line `number`."""
        return str(number).rjust(self.width) + self.separator

    def bodies(self, lines: Sequence[str], first: int) -> list[str] | None:
        """The texts of lines that are numbered from `first` on in this style; None where one is not."""
        if self.width and len(str(first + len(lines) - 1)) >= self.width:
            return None  # without a blank before it a number does not show that it is padded
        prefixes = [f"{number:>{self.width}}{self.separator}" for number in range(first, first + len(lines))]
        if not all(map(str.startswith, lines, prefixes)):
            return None
        return [line[len(prefix) :] for line, prefix in zip(lines, prefixes, strict=True)]


_STYLES: dict[tuple[int, str], Style] = {(w, s): Style(w, s) for w in range(18) for s in ("→", "\t", ":")}


def _style(pad: str, digits: str, separator: str) -> Style:
    """The one Style object of this look: styles are compared by identity on the way."""
    return _STYLES[len(pad) + len(digits) if pad else 0, separator]


class Lines(msgspec.Struct, frozen=True):
    """A text's lines, taken apart: as they are, without a displayed number, the numbers (-1: none), their styles.

    runs: how many lines from each on are numbered one after the other in one style, or show no number.
    """

    lines: list[str]
    bodies: list[str]
    numbers: list[int]
    styles: list[Style | None]
    runs: list[int]


def taken_apart(text: str) -> Lines:
    """The lines of a text; joined by line feeds they give it back."""
    lines = text.split("\n")
    if not _NUMBERED.search(text):
        return Lines(lines, lines, [-1] * len(lines), [None] * len(lines), list(range(len(lines), 0, -1)))
    found = _LINE.findall(text)
    bodies = [body for _, _, _, body in found]
    numbers = [int(digits) if digits else -1 for _, digits, _, _ in found]
    styles = [_style(pad, digits, separator) if digits else None for pad, digits, separator, _ in found]
    return Lines(lines, bodies, numbers, styles, _runs(numbers, styles))


def _runs(numbers: list[int], styles: list[Style | None]) -> list[int]:
    runs, count = [1] * len(numbers), 1
    for at in range(len(numbers) - 2, -1, -1):
        style = styles[at]
        goes_on = style is styles[at + 1] and (style is None or numbers[at + 1] == numbers[at] + 1)
        runs[at] = count = count + 1 if goes_on else 1
    return runs


class Marker(msgspec.Struct, frozen=True):
    """A reference. count: lines it stands for. first: displayed number of the first of them, None where not numbered.

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


def render(marker: Marker) -> str:
    """The words of a marker."""
    target = (
        f"{marker.count} lines" if marker.first is None else f"lines {marker.first}-{marker.first + marker.count - 1}"
    )
    if marker.prefix is not None:
        target += f', numbered as "{marker.prefix}"'
    if marker.lines is None:
        source = f"{marker.label} from {msgspec.json.encode(marker.anchor).decode()}"
    elif marker.lines[0] == marker.first:
        source = f"in {marker.label}"
    else:
        source = f"lines {marker.lines[0]}-{marker.lines[1]} of {marker.label}"
    return f"[{target}: same as {source} #{marker.check}]"


def parse(line: str) -> Marker | None:
    """The marker a line is, or None. Each marker has one spelling: what `render` would not write is none."""
    match = _MARKER.fullmatch(line)
    marker = _meant(match) if match and LOOKS_LIKE.fullmatch(line) else None
    return marker if marker and render(marker) == line else None


def _meant(match: re.Match[str]) -> Marker | None:
    found = match.groupdict()
    first = int(found["first"]) if found["first"] else None
    count = int(found["last"]) - first + 1 if first is not None else int(found["count"])
    lines = None
    if found["alike"] is not None and first is not None:
        lines = (first, first + count - 1)
    elif found["numbered"] is not None:
        lines = (int(found["from"]), int(found["to"]))
    anchor = None if found["anchor"] is None else _unquoted(found["anchor"])
    if lines is None and (not anchor or "\n" in anchor or anchor_of(anchor) != anchor):
        return None
    if count < 1 or (lines is not None and lines[1] - lines[0] + 1 != count):
        return None
    label = found["alike"] or found["numbered"] or found["anchored"]
    return Marker(count, label, first, found["prefix"], lines, anchor, found["check"])


def _unquoted(text: str) -> str | None:
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        return None


def check(chain: bytes, part: int, line: int, marker: Marker, lines: Sequence[str]) -> str:
    """The check of a marker: six digits over the chain before its block, its place in the original, what it says, and
    the lines it stands for.
    """
    words = render(msgspec.structs.replace(marker, check=""))
    h = hashlib.sha256(chain + b"%d:%d:%d:" % (part, line, len(lines)))
    h.update("\n".join([words, *lines]).encode())
    return f"{int.from_bytes(h.digest()[:8], 'big') % 1_000_000:06d}"


def first_style(text: str) -> Style | None:
    """The style of the first numbered line of a text, or of a number alone. A marker is no numbered line."""
    found = _NUMBERED.search(text)
    return _style(*found.groups()) if found else None


def anchor_of(line: str) -> str:
    """How a line begins, as a marker quotes it."""
    return line.lstrip()[:_ANCHOR].rstrip()


def path_in(arguments: Sequence[tuple[str, str]]) -> str:
    """The path a call is about, or ""."""
    told = dict(arguments)
    return next((told[key] for key in _PATHS if told.get(key)), "")


def _labels(name: str, arguments: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The names under which a call's result may be referred to, the shortest first. Empty without a tool's name."""
    if not name:
        return (NAMELESS_RESULT,)
    path = path_in(arguments)
    if path:
        short = "/".join(path.split("/")[-2:])
        return tuple(dict.fromkeys((f"{name} {short}", f"{name} {path}")))
    told = dict(arguments)
    subject = next((told[key] for key in _COMMANDS if told.get(key)), next(iter(told.values()), ""))
    line = subject.strip().split("\n", 1)[0]
    return tuple(dict.fromkeys(f"{name} {line[:n]}".rstrip() for n in (_SHORT_COMMAND, _LONG_COMMAND)))


class Names:
    """The names of the sources of a request, fed with its blocks front to back."""

    def __init__(self) -> None:
        self._calls: dict[str, Block] = {}
        self._named: dict[str, tuple[tuple[str, ...], str]] = {}

    def hear(self, block: Block) -> None:
        """Take note of a call. What it is named is worked out when somebody asks: most calls are never referred to."""
        self._calls[block.call_id] = block
        self._named.pop(block.call_id, None)

    def call(self, block: Block) -> tuple[tuple[str, ...], str]:
        """The labels a call's result will have, and the path it is about ("" for none)."""
        self.hear(block)
        return self._of(block.call_id)

    def _of(self, call_id: str) -> tuple[tuple[str, ...], str]:
        named, block = self._named.get(call_id), self._calls.get(call_id)
        if named is None:
            named = (
                (_labels(block.name, block.arguments), path_in(block.arguments)) if block else ((NAMELESS_RESULT,), "")
            )
            self._named[call_id] = named
        return named

    def text(self, block: Block) -> tuple[tuple[str, ...], str]:
        """The labels of a block's texts, none where nothing may refer to them, and the path they are about."""
        match block.kind:
            case Kind.RESULT:
                return self._of(block.call_id)
            case Kind.USER:
                return (USER_TEXT,), ""
            case Kind.ASSISTANT:
                return (ASSISTANT_TEXT,), ""
            case _:
                return (), ""


def argument_labels(key: str, call_labels: Sequence[str]) -> tuple[str, ...]:
    """The names of one argument of a call."""
    return tuple(f"{key} of {label}" for label in call_labels)


def looks_like(text: str) -> bool:
    """True when a text has anything that reads like a marker: such a text is opaque."""
    return _HINT in text and LOOKS_LIKE.search(text) is not None
