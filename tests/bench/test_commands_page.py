"""The reference of the commands is what they say themselves."""

from pathlib import Path

import pytest

from tests.bench.commands_page import page
from tokenpak.cli.pages import PAGES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"


def section(name):
    found = [part for part in PAGE.read_text().split("\n##") if part.partition("\n")[0].strip("# ") == name]
    (only,) = found
    return only


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text() == page(), "python tests/bench/commands_page.py docs/reference/commands.md"


@pytest.mark.parametrize("name", PAGES)
def test_every_command_has_its_part(name):
    assert section(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tokenpak requests", ("`--limit`", "1000 are the most", "`20`", "tokenpak requests --since 6h")),
        ("tokenpak compress", ("must be there", "One of: `anthropic`, `openai`, `responses`.")),
        ("tokenpak integrate", ("`--start`, `--no-start`", "| on |")),
        ("tokenpakctl status", ("| `3` | stopped: nothing runs |", "[docs/operations.md](../operations.md)")),
        ("tokenpak statusline", ("--state-dir DIR",)),
    ],
)
def test_it_tells_options_defaults_examples_and_codes(name, words):
    for each in words:
        assert each in section(name)
