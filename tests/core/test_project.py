"""The project an agent says it works on, as it stands in raw JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.body import outline
from tokenpak.core.patch import Format
from tokenpak.core.project import LONGEST, MOST, project_of

SAID = [
    ("Claude Code", "<env>\nWorking directory: /home/ada/mill\nIs directory a git repo: Yes", "mill"),
    ("Claude Code, today", "# Environment\n - Primary working directory: /home/ada/mill\n - Platform: linux", "mill"),
    ("Codex", "<environment_context>\n  <cwd>/home/ada/mill</cwd>\n  <shell>bash</shell>", "mill"),
    ("Cline", "# Current Working Directory (/home/ada/mill) Files\na.py", "mill"),
    ("opencode", "  Working directory: /home/ada/mill/\n", "mill"),
    ("in prose", 'The working directory is "/srv".', None),
    ("in prose, bare", "The working directory is /srv/mill.\nGo on.", "mill"),
    ("from home", "Working directory: ~/src/mill\n", "mill"),
    ("Windows", "Working directory: C:\\Users\\ada\\new\\table\n", "table"),
    ("wide characters", "Working directory: /home/ada/café\n", "café"),
    ("the root", "Working directory: /\n", None),
    ("nothing", "You are an agent.", None),
    ("no path", "Working directory: unknown\n", None),
    ("cut off", "Working directory: /home/ada/mi", None),
]


def raw(text, **how):
    return json.dumps(text, **how).encode()[1:-1]


@pytest.mark.parametrize(("who", "text", "project"), SAID, ids=[said[0] for said in SAID])
def test_as_agents_say_it(who, text, project):
    assert project_of([raw(text)]) == project
    assert project_of([raw(text, ensure_ascii=False)]) == project
    assert project_of([raw(text).replace(b"/", rb"\/")]) == project


def test_the_first_piece_that_says_it_is_believed():
    assert project_of([b"nothing", b"<cwd>/a/one</cwd>", b"<cwd>/a/two</cwd>"]) == "one"
    assert project_of([]) is None


def test_it_is_looked_for_at_both_ends_of_a_long_text():
    said = b"<cwd>/a/one</cwd>"
    assert project_of([said + b" " * 3 * MOST]) == "one"
    assert project_of([b" " * 3 * MOST + said]) == "one"
    assert project_of([b" " * 2 * MOST + said + b" " * 2 * MOST]) is None


def test_a_name_has_a_bound():
    assert project_of([b"<cwd>/" + b"a" * 500 + b"</cwd>"]) == "a" * LONGEST


def test_a_half_of_a_character_is_no_name():
    assert project_of([rb"<cwd>/a/\ud83d</cwd>"]) is None


@given(st.lists(st.binary(max_size=300), max_size=3))
def test_noise_has_none_or_a_name(pieces):
    found = project_of([b"Working directory: " + piece for piece in pieces])
    assert found is None or 0 < len(found) <= LONGEST


@pytest.mark.parametrize("fmt", Format)
def test_the_outline_tells_it(fmt):
    said = "Working directory: /home/ada/mill\n"
    bodies = {
        Format.ANTHROPIC: {"system": [{"type": "text", "text": said}], "messages": []},
        Format.OPENAI_CHAT: {"messages": [{"role": "system", "content": said}]},
        Format.OPENAI_RESPONSES: {"input": [{"role": "user", "content": said}]},
    }
    assert outline(fmt, json.dumps(bodies[fmt]).encode()).project == "mill"
