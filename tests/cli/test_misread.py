import pytest

from tests.cli.commands_walk import LINES
from tokenpak.cli.application import run


def said(arguments, capsys):
    with pytest.raises(SystemExit):
        run("tokenpak", *LINES["tokenpak"], arguments)
    lines = capsys.readouterr().err.splitlines()
    return " ".join(" ".join(line.strip("│ ") for line in lines[1:-1]).split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--foo"], "Unknown option: --foo."),
        (["show", "a", "b"], "Not understood: b."),
        (["show", "a", "[b]"], "Not understood: [b]."),
        (["show", "--state-dir", "a", "b", "c"], "Not understood: c."),
        (["serve", "--port", "1", "b"], "Not understood: b."),
        (
            ["serve", "--upstream", "a=U", "openai=U"],
            "Not understood: openai=U. For several values, write the option before each: --upstream a=U --upstream openai=U",
        ),
        (
            ["mock-provider", "--fault", "drop", "cut"],
            "Not understood: cut. For several values, write the option before each: --fault drop --fault cut",
        ),
    ],
)
def test_what_was_typed_is_named_and_how_to_write_it(arguments, sentence, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert said(arguments, capsys) == sentence


def test_other_words_are_the_parsers(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert said(["foo"], capsys).startswith('Unknown command "foo".')


@pytest.mark.parametrize("command", ["serve", "compress", "mock-provider", "verify-savings"])
def test_help_shows_one_value_behind_an_option(command, capsys):
    with pytest.raises(SystemExit):
        run("tokenpak", *LINES["tokenpak"], [command, "--help"])
    assert "STR..." not in (out := capsys.readouterr().out)
    assert "PATH..." not in out
