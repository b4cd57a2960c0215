import importlib
import sys
import types

import pytest

from tokenpak.cli import main
from tokenpak.cli.application import Command, _known_errors, run
from tokenpak.config.settings import ConfigError


@pytest.fixture
def commands(monkeypatch):
    """A module of commands that end in every way a command may end."""
    module = types.ModuleType("commands_of_this_test")

    def named() -> None:
        raise ConfigError("the file, the key, what to do")

    def defect() -> None:
        """about defect

        And more of it, over
        two lines.
        """
        raise ZeroDivisionError

    def code(number: int) -> int:
        return number

    module.named, module.defect, module.code = named, defect, code
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return {word: Command(f"{module.__name__}:{word}", f"about {word}") for word in ("named", "defect", "code")}


def test_a_command_returns_its_exit_code(commands):
    with pytest.raises(SystemExit) as ended:
        run("x", "about", commands, ["code", "7"])
    assert ended.value.code == 7


def test_a_known_error_is_one_line(commands, capsys):
    with pytest.raises(SystemExit) as ended:
        run("x", "about", commands, ["named"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "x: the file, the key, what to do\n"


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("tokenpak.control.ensure", "NotServing"),
        ("tokenpak.control.install", "CannotInstall"),
        ("tokenpak.control.service_owner", "OwnerRefused"),
        ("tokenpak.control.purge", "NotOurs"),
        ("tokenpak.control.restart", "RestartFailed"),
        ("tokenpak.control.supervisor", "NotRunning"),
    ],
)
def test_errors_a_user_can_act_on_are_known(module, error):
    assert getattr(importlib.import_module(module), error) in _known_errors()


def test_a_defect_keeps_its_traceback(commands):
    with pytest.raises(ZeroDivisionError):
        run("x", "about", commands, ["defect"])


def test_the_version_also_with_other_words(commands, capsys):
    run("x", "about", commands, ["--version"])
    assert capsys.readouterr().out.startswith("x ")


def test_the_list_of_commands_says_what_each_does(commands, capsys):
    with pytest.raises(SystemExit):
        run("x", "about", commands, ["--help"])
    assert "about defect" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["defect", "--help"], ["--help", "defect"], ["defect", "-h"]])
def test_a_command_tells_of_itself_all_its_docstring_says_and_breaks_no_line_early(commands, capsys, arguments):
    with pytest.raises(SystemExit):
        run("x", "about", commands, arguments)
    assert "\nabout defect\n\nAnd more of it, over two lines.\n" in capsys.readouterr().out


def test_a_word_that_is_no_command_is_an_error_with_help_too(commands, capsys):
    with pytest.raises(SystemExit):
        run("x", "about", commands, ["nothing", "--help"])
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["savings", "--help"], ["--help", "savings"]])
def test_what_is_beside_the_options_stands_below_them(capsys, arguments):
    with pytest.raises(SystemExit):
        run("tokenpak", "about", main.COMMANDS, arguments)
    assert "\nExamples:\n  tokenpak savings\n" in capsys.readouterr().out
