"""The names under which a model finds what it has seen."""

import pytest

from tests.core.writing import written
from tokenpak.core.body.openai_chat import message_unit
from tokenpak.core.names import Names, argument_labels


def call(ident: str, name: str, arguments: str) -> dict[str, object]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def labels_of(name: str, arguments: str) -> tuple[tuple[str, ...], str]:
    (block,) = message_unit(written({"role": "assistant", "tool_calls": [call("c", name, arguments)]})).blocks
    names = Names()
    told = names.call(block)
    (result,) = message_unit(written({"role": "tool", "tool_call_id": "c", "content": "x"})).blocks
    assert names.text(result) == told
    return told


@pytest.mark.parametrize(
    ("name", "arguments", "labels", "path"),
    [
        ("Read", '{"file_path": "/a/b/c.py", "limit": 3}', ("Read b/c.py", "Read /a/b/c.py"), "/a/b/c.py"),
        ("Read", '{"path": "c.py"}', ("Read c.py",), "c.py"),
        ("Read", '{"filename": "d.py", "path": "", "file_path": ""}', ("Read d.py",), "d.py"),
        ("Read", '{"path": "", "query": "x"}', ("Read x",), ""),
        ("Bash", '{"description": "List", "command": "ls -la\\npwd"}', ("Bash ls -la",), ""),
        ("exec", '{"cmd": ["bash", "-lc", "make"]}', ("exec make",), ""),
        ("think", '{"b": "x", "a": "y"}', ("think y",), ""),
        ("patch", "*** Begin", ("patch *** Begin",), ""),
        ("ping", "{}", ("ping",), ""),
        ("", '{"path": "c.py"}', ("tool result",), "c.py"),
        ("Bash", '{"command": "' + "x" * 200 + '"}', ("Bash " + "x" * 48, "Bash " + "x" * 160), ""),
    ],
)
def test_results_go_by_tool_and_path_or_command(name: str, arguments: str, labels: tuple[str, ...], path: str):
    assert labels_of(name, arguments) == (labels, path)


def test_other_texts_have_names_too():
    names = Names()
    told = {}
    for role in ("user", "assistant", "system", "tool"):
        (block,) = message_unit(
            written({"role": role, "content": "x", **({"tool_call_id": "?"} if role == "tool" else {})})
        ).blocks
        told[role] = names.text(block)
    assert told == {
        "user": (("user text",), ""),
        "assistant": (("assistant text",), ""),
        "system": (("system prompt",), ""),
        "tool": (("tool result",), ""),
    }


def test_arguments_have_the_names_of_their_call():
    assert argument_labels("content", ("Write a", "Write /x/a")) == (
        "content of Write a",
        "content of Write /x/a",
    )
