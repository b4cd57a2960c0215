"""JSON texts rewritten without their white space and with lists of like objects as tables, and put back to the letter.

Nothing is decoded: numbers, escapes, key order, nulls and duplicate keys stay the characters they were. A text is cut
into its tokens, and white space is known only as one of a few layouts that writers of JSON use; a text with any other is
left alone. The difficulty is that both directions must agree for every text, hostile ones included: so whoever rewrites
puts back and compares before a rewriting counts.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

Back = Callable[[str], str | None]
"""Puts one line back; None where it is nothing that could have been written by us."""

SPACED = '", " and ": "'
"""The layout of Python's `json.dumps`."""

_TOKEN = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|[{}\[\]:,]|-?[0-9][0-9.eE+-]*|true|false|null|[ \n]+')
_INDENT = re.compile(r"\n( {1,9})\S")
_DEEPEST = 60
_FEWEST_ROWS = 2
_KEYS, _ROWS = '"keys"', '"rows"'


class Object(NamedTuple):
    """An object's members, keys and scalars as their own tokens."""

    members: "list[tuple[str, Node]]"


class Array(NamedTuple):
    """An array's elements."""

    elements: "list[Node]"


Node = str | Object | Array


class _Bad(Exception):  # noqa: N818 - the answer: this is no JSON text we can rewrite
    """The text is not JSON, or nested too deeply."""


class Rewritten(NamedTuple):
    """A JSON text rewritten on one line, and what must be known to put it back."""

    line: str
    layout: str
    rows: bool


def rewritten(text: str, *, space: bool, rows: bool) -> Rewritten | None:
    """The text without its white space (space), with lists of like objects as tables (rows); None where neither helps."""
    try:
        tree = _parsed(text)
    except _Bad:
        return None
    layout = next((each for each in _layouts(text) if _written(tree, each) == text), None)
    if layout is None:
        return None
    if layout and not space:
        return None  # a table is written without white space
    # An object that looks like a table would come back as a list: then there are no tables, white space may still go.
    tables = [_tabled(tree), tree] if rows else [tree]
    tried = (Rewritten(_written(table, ""), layout, table != tree) for table in tables)
    return next((each for each in tried if _is_proven(each, text)), None)


def _is_proven(out: Rewritten, text: str) -> bool:
    return len(out.line) < len(text) and put_back(out.line, out.layout, rows=out.rows) == text


def put_back(line: str, layout: str, *, rows: bool) -> str | None:
    """The JSON text that a line stands for."""
    try:
        tree = _parsed(line)
        if _written(tree, "") != line:
            return None
        return _written(_untabled(tree) if rows else tree, layout)
    except _Bad:
        return None


def _layouts(text: str) -> list[str]:
    indent = _INDENT.search(text)
    return ["", SPACED] if indent is None else [f"indent {len(indent[1])}"]


def _parsed(text: str) -> Node:
    tokens, at = [], 0
    for match in _TOKEN.finditer(text):
        if match.start() != at:
            raise _Bad
        at = match.end()
        if not match[0].isspace():
            tokens.append(match[0])
    if at != len(text):
        raise _Bad
    try:
        node, end = _node(tokens, 0, 0)
    except IndexError:
        raise _Bad from None
    if end != len(tokens) or isinstance(node, str):
        raise _Bad
    return node


def _node(tokens: list[str], at: int, depth: int) -> tuple[Node, int]:
    if depth > _DEEPEST:
        raise _Bad
    word = tokens[at]
    if word == "{":
        return _object(tokens, at + 1, depth)
    if word == "[":
        return _array(tokens, at + 1, depth)
    if word in "}]:,":
        raise _Bad
    return word, at + 1


def _object(tokens: list[str], at: int, depth: int) -> tuple[Object, int]:
    members: list[tuple[str, Node]] = []
    if tokens[at] == "}":
        return Object(members), at + 1
    while True:
        key = tokens[at]
        if key[0] != '"' or tokens[at + 1] != ":":
            raise _Bad
        value, at = _node(tokens, at + 2, depth + 1)
        members.append((key, value))
        if tokens[at] == "}":
            return Object(members), at + 1
        if tokens[at] != ",":
            raise _Bad
        at += 1


def _array(tokens: list[str], at: int, depth: int) -> tuple[Array, int]:
    elements: list[Node] = []
    if tokens[at] == "]":
        return Array(elements), at + 1
    while True:
        value, at = _node(tokens, at, depth + 1)
        elements.append(value)
        if tokens[at] == "]":
            return Array(elements), at + 1
        if tokens[at] != ",":
            raise _Bad
        at += 1


def _written(node: Node, layout: str) -> str:
    if layout.startswith("indent "):
        return _indented(node, " " * int(layout[7:]), "\n")
    between, colon = (", ", ": ") if layout == SPACED else (",", ":")
    return _in_line(node, between, colon)


def _in_line(node: Node, between: str, colon: str) -> str:
    if isinstance(node, Object):
        return "{" + between.join(f"{k}{colon}{_in_line(v, between, colon)}" for k, v in node.members) + "}"
    if isinstance(node, Array):
        return "[" + between.join(_in_line(each, between, colon) for each in node.elements) + "]"
    return node


def _indented(node: Node, step: str, start: str) -> str:
    inner = start + step
    if isinstance(node, Object) and node.members:
        return (
            "{" + inner + f",{inner}".join(f"{k}: {_indented(v, step, inner)}" for k, v in node.members) + start + "}"
        )
    if isinstance(node, Array) and node.elements:
        return "[" + inner + f",{inner}".join(_indented(each, step, inner) for each in node.elements) + start + "]"
    return _in_line(node, ",", ":")


def _tabled(node: Node) -> Node:
    if isinstance(node, Object):
        return Object([(key, _tabled(value)) for key, value in node.members])
    if isinstance(node, str):
        return node
    elements = [_tabled(each) for each in node.elements]
    if len(elements) < _FEWEST_ROWS or not all(isinstance(each, Object) for each in elements):
        return Array(elements)
    objects = [each for each in elements if isinstance(each, Object)]
    keys = [key for key, _ in objects[0].members]
    if not keys or any([key for key, _ in each.members] != keys for each in objects):
        return Array(elements)
    saved = (len(objects) - 1) * sum(len(key) + 1 for key in keys) - len(objects)
    if saved <= len('{"keys":[],"rows":[]}'):
        return Array(elements)
    rows: list[Node] = [Array([value for _, value in each.members]) for each in objects]
    return Object([(_KEYS, Array(list(keys))), (_ROWS, Array(rows))])


def _untabled(node: Node) -> Node:
    if isinstance(node, Array):
        return Array([_untabled(each) for each in node.elements])
    if isinstance(node, str):
        return node
    table = _table(node)
    if table is None:
        return Object([(key, _untabled(value)) for key, value in node.members])
    keys, rows = table
    return Array([Object([(k, _untabled(v)) for k, v in zip(keys, row.elements, strict=True)]) for row in rows])


def _table(node: Object) -> tuple[list[str], list[Array]] | None:
    """The keys and rows of an object that has the form of a table."""
    if [key for key, _ in node.members] != [_KEYS, _ROWS]:
        return None
    (_, keys), (_, rows) = node.members
    if not isinstance(keys, Array) or not isinstance(rows, Array):
        return None
    names = [key for key in keys.elements if isinstance(key, str) and key[0] == '"']
    lists = [row for row in rows.elements if isinstance(row, Array) and len(row.elements) == len(names)]
    if not names or len(names) != len(keys.elements) or len(lists) != len(rows.elements):
        return None
    return names, lists
