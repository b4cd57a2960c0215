"""`--help` of every command, as somebody reads it who has nothing else."""

import inspect
import shlex
from pathlib import Path

import pytest

from tests.cli.commands_walk import LINES, OWN_PARSER, parser, walked
from tokenpak.cli.application import run
from tokenpak.cli.pages import PAGES
from tokenpak.control.states import Code

ALL = {each.name: each for each in walked()}
PARSED = [name for name in ALL if name != OWN_PARSER]
COLUMNS = 80


def shown(name, capsys, monkeypatch):
    """What `--help` of a command prints in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    program, *words = name.split()
    with pytest.raises(SystemExit) as ended:
        run(program, *LINES[program], [*words, "--help"])
    assert not ended.value.code
    return capsys.readouterr().out


def summary(app):
    return inspect.cleandoc(app.help).split("\n\n")[0].replace("\n", " ")


def test_there_are_as_many_commands_as_pages():
    assert set(PAGES) == set(ALL)


@pytest.mark.parametrize("name", PARSED)
def test_help_says_what_it_does_and_gives_examples(name, capsys, monkeypatch):
    out = shown(name, capsys, monkeypatch)
    assert out.startswith("Usage: ")
    first = summary(ALL[name].app)
    assert first.endswith(".")
    assert first in " ".join(out.split())
    assert "\nExamples:\n" in out
    for line, words in PAGES[name].examples.items():
        assert f"\n  {line}\n      {words}" in out


@pytest.mark.parametrize("name", PARSED)
def test_help_says_all_that_its_docstring_says(name, capsys, monkeypatch):
    """What stands under a heading of its own there is told in the table of options."""
    out = " ".join(shown(name, capsys, monkeypatch).split())
    told = inspect.cleandoc(ALL[name].app.help).split("\nParameters\n")[0]
    assert " ".join(told.split()) in out


@pytest.mark.parametrize("name", PARSED)
def test_every_option_has_words(name):
    app = ALL[name].app
    if app.default_command is None or len(ALL[name].words) == 1:
        return
    for argument in app.assemble_argument_collection(parse_docstring=True):
        assert argument.parameter.help, argument.name
        assert argument.parameter.help.endswith("."), argument.name


@pytest.mark.parametrize("name", PAGES)
def test_every_example_is_understood(name, capsys):
    page = PAGES[name]
    assert page.examples
    for line in page.examples:
        assert line.startswith(name)
        program, *words = shlex.split(line)
        if line.startswith(OWN_PARSER):
            continue
        parser(program, *words[:1]).parse_args(words, print_error=False, exit_on_error=False)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_beside_the_options_fits_the_terminal(name):
    page = PAGES[name]
    codes = {str(code): words for code, words in page.exits.items()}
    for told in (codes, page.variables):
        width = max(map(len, told), default=0)
        assert all(2 + width + 2 + len(words) <= COLUMNS for words in told.values())
    for told in (page.examples, page.files):
        assert all(2 + len(line) <= COLUMNS and 6 + len(words) <= COLUMNS for line, words in told.items())
    assert 2 + len(", ".join(page.see)) <= COLUMNS


@pytest.mark.parametrize("name", PAGES)
def test_what_is_referred_to_is_there(name):
    root = Path(__file__).parents[2]
    for each in PAGES[name].see:
        words = each.split(" -")[0]
        assert words in ALL or (root / each).exists() or words.startswith(("supervisorctl", "tokenpakctl restart"))


def test_the_list_of_commands_says_what_each_command_says_first():
    for program, (_about, commands) in LINES.items():
        for word, command in commands.items():
            assert command.about == summary(parser(program, word)[word]), word


def test_status_names_the_code_of_every_state():
    assert PAGES["tokenpakctl status"].exits.keys() == {int(code) for code in Code}
    for code in Code:
        assert PAGES["tokenpakctl status"].exits[code].startswith(code.name.lower())


def test_a_command_of_its_own_parser_explains_itself_too(capsys):
    from tokenpak.cli.commands.statusline import main

    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: tokenpak statusline")
    assert summary(ALL[OWN_PARSER].app).rstrip(".") in out
