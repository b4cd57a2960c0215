"""JSON, with the comments and trailing commas that editors and agents allow, read into nodes that know their spans.

The difficulty is the commas: a member is added behind the last one, whose comma may be missing, present, or followed by a
comment that belongs to it. Numbers are compared as they are written, so 1.0 and 1 are two things.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from tokenpak.integrations.errors import Unreadable
from tokenpak.integrations.splices import Splice, line_break, replaced

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*[\s\S]*?\*/)*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_OTHER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
UNIT = "  "


class Node(NamedTuple):
    """A value at `text[start:end]`. value: of a scalar."""

    kind: str
    start: int
    end: int
    value: object = None
    members: tuple["Member", ...] = ()


class Member(NamedTuple):
    """A member of an object or list, from its key on. comma: where the comma after it stands, if one does."""

    key: str | int
    start: int
    key_end: int
    node: Node
    comma: int | None


def load(text: str) -> object:
    return _plain(_root(text))


def literals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[int, int]]:
    member = _member(_root(text), key)
    if member is not None:
        yield member.node.start, member.node.end


def written(value: str, like: str) -> Iterator[str]:  # noqa: ARG001 strings look one way here
    yield json.dumps(value, ensure_ascii=False)


def additions(text: str, key: tuple[str | int, ...], value: str) -> Iterator[tuple[Splice, ...]]:
    if not _SPACE.sub("", text):
        yield (_whole(text, key, value),)
        return
    root = node = _root(text)
    depth = 0
    for part in key[:-1]:
        inner = next((each.node for each in node.members if each.key == part), None)
        if inner is None:
            break
        node, depth = inner, depth + 1
    if node.kind == "map":
        yield _added(text, _Style.of(text, root), node, key[depth:], value)


def removals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[Splice, ...]]:
    parent = _node(_root(text), key[:-1])
    place = next((n for n, each in enumerate(parent.members) if each.key == key[-1]), None) if parent else None
    if parent is None or place is None:
        return
    member = parent.members[place]
    first = _line_start(text, member.start)
    if member.comma is not None:
        end = member.comma + 1
        if first == member.start:
            end += len(text[end:]) - len(text[end:].lstrip(" "))
        yield (replaced(text, first, end, ""),)
        return
    if first == member.start:
        first = len(text[:first].rstrip(" \t"))
    own = replaced(text, first, member.node.end, "")
    before = parent.members[place - 1].comma if place else None
    if before is not None:
        yield own, replaced(text, before, before + 1, "")
        yield (replaced(text, before, member.node.end, ""),)
    yield (own,)
    yield (replaced(text, parent.start + 1, parent.end - 1, ""),)


class _Style(NamedTuple):
    """How a text is laid out. unit: one step of indentation. colon: what stands between key and value."""

    newline: str
    unit: str
    colon: str

    @classmethod
    def of(cls, text: str, root: Node) -> "_Style":
        first = root.members[0] if root.members else None
        indent = _indent(text, first.start) if first else None
        colon = text[first.key_end : first.node.start] if first else ": "
        return cls(line_break(text), indent or UNIT, colon if re.fullmatch(r"[ \t]*:[ \t]*", colon) else ": ")


def _added(text: str, style: _Style, node: Node, key: tuple[str | int, ...], value: str) -> tuple[Splice, ...]:
    """`key` as the last member of `node`, laid out as its neighbours are."""
    last = node.members[-1] if node.members else None
    if last is None:
        return (_filled(text, style, node, key, value),)
    indent = _indent(text, last.start)
    lead = style.newline + indent if indent is not None else " "
    member = lead + _laid_out(key, value, style, indent)
    content_end = _content_end(text, last, node, indent)
    if last.comma is not None:
        return (Splice(content_end, "", member + ","),)
    if content_end == last.node.end:
        return (Splice(content_end, "", "," + member),)
    return Splice(content_end, "", member), Splice(last.node.end, "", ",")


def _filled(text: str, style: _Style, node: Node, key: tuple[str | int, ...], value: str) -> Splice:
    """`key` as the only member of an object that has none."""
    outer = re.match(r"[ \t]*", text[text.rfind("\n", 0, node.start) + 1 :])
    outdent = outer[0] if outer else ""
    inner = text[node.start + 1 : node.end - 1]
    if "\n" not in text.strip() and node.start != len(text) - len(text.lstrip()):
        return Splice(node.end - 1, "", _laid_out(key, value, style, None))
    member = style.newline + outdent + style.unit + _laid_out(key, value, style, outdent + style.unit)
    if "\n" in inner:
        return Splice(node.start + 1 + len(inner.rstrip()), "", member)
    return Splice(node.end - 1, "", member + style.newline + outdent)


def _laid_out(key: tuple[str | int, ...], value: str, style: _Style, indent: str | None) -> str:
    """`"a": {"b": value}`, over several lines where an indentation is given."""
    if len(key) == 1:
        return json.dumps(key[0]) + style.colon + json.dumps(value, ensure_ascii=False)
    inner = _laid_out(key[1:], value, style, None if indent is None else indent + style.unit)
    if indent is None:
        return json.dumps(key[0]) + style.colon + "{" + inner + "}"
    around = style.newline + indent
    return json.dumps(key[0]) + style.colon + "{" + around + style.unit + inner + around + "}"


def _whole(text: str, key: tuple[str | int, ...], value: str) -> Splice:
    newline = line_break(text)
    style = _Style(newline, UNIT, ": ")
    document = "{" + newline + UNIT + _laid_out(key, value, style, UNIT) + newline + "}"
    if not text:
        return Splice(0, "", document + newline)
    return Splice(len(text), "", document if text.endswith("\n") else newline + document)


def _content_end(text: str, last: Member, node: Node, indent: str | None) -> int:
    """Behind the last member, its comma, and the comments after it; before a comment that would swallow what has no own line."""
    start = last.node.end if last.comma is None else last.comma + 1
    rest = text[start : node.end - 1].rstrip()
    return start if indent is None and "//" in rest else start + len(rest)


def _indent(text: str, start: int) -> str | None:
    """The white space before what begins at `start`; None if something else stands before it in its line."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line if not line.strip() and "\n" in text[:start] else None


def _line_start(text: str, start: int) -> int:
    """Where a line begins that holds nothing before `start`, with the line break before it; else `start`."""
    if _indent(text, start) is None:
        return start
    newline = text.rfind("\n", 0, start)
    return newline - 1 if text[newline - 1 : newline] == "\r" else newline


def _plain(node: Node) -> object:
    if node.kind == "list":
        return [_plain(each.node) for each in node.members]
    if node.kind == "map":
        return {each.key: _plain(each.node) for each in node.members}
    return node.value


def _node(node: Node, key: tuple[str | int, ...]) -> Node | None:
    member = _member(node, key) if key else None
    return (member.node if member else None) if key else node


def _member(node: Node, key: tuple[str | int, ...]) -> Member | None:
    found = None
    for part in key:
        found = next((each for each in node.members if each.key == part), None)
        if found is None:
            return None
        node = found.node
    return found


def _root(text: str) -> Node:
    """Raises Unreadable."""
    start = _behind_space(text, 0)
    if start == len(text):
        return Node("map", start, start)
    try:
        node = _read(text, start)
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    if _behind_space(text, node.end) != len(text):
        raise _unreadable(text, node.end)
    return node


def _read(text: str, at: int) -> Node:
    if text[at : at + 1] == "{":
        return _read_members(text, at, "map", "}")
    if text[at : at + 1] == "[":
        return _read_members(text, at, "list", "]")
    if found := _STRING.match(text, at):
        return Node("scalar", at, found.end(), _decoded(text, found))
    if found := _OTHER.match(text, at):
        return Node("scalar", at, found.end(), None if found[0] == "null" else ("json", found[0]))
    raise _unreadable(text, at)


def _read_members(text: str, start: int, kind: str, close: str) -> Node:
    members: list[Member] = []
    at = _behind_space(text, start + 1)
    while text[at : at + 1] != close:
        if members and members[-1].comma is None:
            raise _unreadable(text, at)
        key, begins, key_end = _read_key(text, at) if kind == "map" else (len(members), at, at)
        if any(each.key == key for each in members):
            raise Unreadable(f"{key!r} stands in it twice")
        node = _read(text, at if kind == "list" else _behind_colon(text, key_end))
        at = _behind_space(text, node.end)
        comma = at if text[at : at + 1] == "," else None
        members.append(Member(key, begins, key_end, node, comma))
        at = at if comma is None else _behind_space(text, comma + 1)
    return Node(kind, start, at + 1, None, tuple(members))


def _read_key(text: str, at: int) -> tuple[str, int, int]:
    found = _STRING.match(text, at)
    if found is None:
        raise _unreadable(text, at)
    return _decoded(text, found), at, found.end()


def _decoded(text: str, found: re.Match[str]) -> str:
    try:
        return str(json.loads(found[0]))
    except ValueError as error:
        raise _unreadable(text, found.start()) from error


def _behind_colon(text: str, at: int) -> int:
    at = _behind_space(text, at)
    if text[at : at + 1] != ":":
        raise _unreadable(text, at)
    return _behind_space(text, at + 1)


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _unreadable(text: str, at: int) -> Unreadable:
    """Names the place and not what stands there, which may be a secret."""
    return Unreadable(f"line {text.count(chr(10), 0, at) + 1} is not JSON")
