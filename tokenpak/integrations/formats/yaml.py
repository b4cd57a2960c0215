"""YAML by its nodes, which know their spans (ruamel.yaml composes them without making objects, so unknown tags do no harm).

Values are proposed beside a neighbour of one line: behind the last such member, in its indentation. What YAML makes of
that (folded texts, aliases, several documents) is found out by reading the whole again.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tokenpak.integrations.errors import Unreadable
from tokenpak.integrations.splices import Splice, line_break, replaced, whole_lines

_STR, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_PLAIN = re.compile(r"[A-Za-z][\w./:-]*[\w/]")


def load(text: str) -> object:
    root = _root(text)
    try:
        return {} if root is None else _plain(root)
    except RecursionError as error:
        raise Unreadable("it refers to itself") from error


def literals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[int, int]]:
    pair = _pair(_root(text), key)
    if pair is None:
        return
    name, value = pair
    if value.tag == _NULL and not value.value:  # a null that is not written stands behind its colon
        colon = text.find(":", _span(name)[1]) + 1
        yield colon, colon
    else:
        yield _span(value)


def written(value: str, like: str) -> Iterator[str]:
    plain = [value] if _PLAIN.fullmatch(value) else []
    if like.startswith("'"):
        yield "'" + value.replace("'", "''") + "'"
    elif like.startswith('"'):
        yield json.dumps(value)
    elif not like:  # a key without a value: the colon wants a space
        yield from (f" {each}" for each in plain)
    yield from plain
    yield json.dumps(value)
    yield " " + json.dumps(value)


def additions(text: str, key: tuple[str | int, ...], value: str) -> Iterator[tuple[Splice, ...]]:
    root = _root(text)
    parent = root if len(key) == 1 else _node(root, key[:-1])
    for literal in written(value, "x"):
        member = f"{key[-1]}: {literal}"
        if parent is None and root is None:
            yield from _appended(text, member)
        elif parent is not None and isinstance(parent.value, list) and not _is_list(parent):
            yield from _beside(text, parent, member)


def removals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[Splice, ...]]:
    root = _root(text)
    pair, parent = _pair(root, key), _node(root, key[:-1]) if key[:-1] else root
    if pair is None or parent is None:
        return
    place = next(n for n, each in enumerate(parent.value) if each[0] is pair[0])
    start, end = _span(pair[0])[0], _span(pair[1])[1]
    if not parent.flow_style:
        yield (whole_lines(text, start, end),)
    if place + 1 < len(parent.value):
        yield (replaced(text, start, _span(parent.value[place + 1][0])[0], ""),)
    if place:
        yield (replaced(text, _span(parent.value[place - 1][1])[1], end, ""),)
    yield (replaced(text, start, end, ""),)


def _beside(text: str, parent: Any, member: str) -> Iterator[tuple[Splice, ...]]:
    newline = line_break(text)
    if parent.flow_style:
        last = _span(parent.value[-1][1])[1] if parent.value else _span(parent)[0] + 1
        yield (Splice(last, "", f", {member}" if parent.value else member),)
        return
    for name, value in reversed(parent.value):
        behind = text.find("\n", len(text[: _span(value)[1]].rstrip()))
        line = newline + " " * name.start_mark.column + member
        if behind < 0:
            yield (Splice(len(text), "", line),)
        else:
            yield (Splice(behind - (text[behind - 1] == "\r"), "", line),)
    if parent.value:
        first = parent.value[0][0].start_mark
        yield (Splice(first.index, "", member + newline + " " * first.column),)


def _appended(text: str, member: str) -> Iterator[tuple[Splice, ...]]:
    newline = line_break(text)
    if text and not text.endswith("\n"):
        yield (Splice(len(text), "", newline + member),)
    yield (Splice(len(text), "", member + newline),)


def _root(text: str) -> Any:
    """The node of the one document; None for an empty one. Raises Unreadable."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable("it is not YAML" if mark is None else f"line {mark.line + 1} is not YAML") from error
    except (RecursionError, ValueError) as error:
        raise Unreadable("it is not YAML") from error


def _plain(node: Any) -> object:
    if _is_list(node):
        return [_plain(each) for each in node.value]
    if isinstance(node.value, list):
        return _plain_map(node)
    if node.tag == _NULL:
        return None
    return node.value if node.tag == _STR else (str(node.tag), node.value)


def _plain_map(node: Any) -> dict[object, object]:
    held: dict[object, object] = {}
    for name, value in node.value:
        key = name.value if name.tag == _STR else repr(_plain(name))
        if key in held:
            raise Unreadable(f"{key!r} stands in it twice")
        held[key] = _plain(value)
    return held


def _is_list(node: Any) -> bool:
    return bool(node.id == "sequence")


def _node(node: Any, key: tuple[str | int, ...]) -> Any:
    for part in key:
        if node is None or not isinstance(node.value, list):
            return None
        if _is_list(node):
            node = node.value[part] if isinstance(part, int) and part < len(node.value) else None
        else:
            node = next((value for name, value in node.value if name.value == part), None)
    return node


def _pair(root: Any, key: tuple[str | int, ...]) -> Any:
    parent = _node(root, key[:-1])
    if parent is None or not isinstance(parent.value, list) or _is_list(parent):
        return None
    return next((pair for pair in parent.value if pair[0].value == key[-1]), None)


def _span(node: Any) -> tuple[int, int]:
    return int(node.start_mark.index), int(node.end_mark.index)
