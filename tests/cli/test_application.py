import importlib
import os
import subprocess
import sys
import types

import pytest

from tokenpak.cli import main
from tokenpak.cli.application import NOT_UNDERSTOOD, Command, _known_errors, reader_may_leave, run
from tokenpak.cli.pages import PAGES
from tokenpak.config.settings import ConfigError
from tokenpak.control.states import Code


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


def unread(*words, buffered=True):
    """A command whose output nobody reads: its exit code, and what it says beside it."""
    reading, writing = os.pipe()
    os.close(reading)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    try:
        ran = subprocess.run(
            [sys.executable, *([] if buffered else ["-u"]), "-m", *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env=environ,
        )
    finally:
        os.close(writing)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "words",
    [
        ["tokenpak.cli.ctl", "--help"],
        ["tokenpak.cli.main", "integrate", "list"],
        ["tokenpak.cli.main", "prices", "show", "--json"],
        ["tokenpak.cli.main", "statusline"],
        ["tokenpak.cli.main", "--version"],
    ],
)
def test_whoever_reads_may_stop_reading(words, buffered, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENPAK_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert unread(*words, buffered=buffered) == (0, b"")


def test_what_a_command_has_told_by_then_is_its_exit_code(tmp_path):
    assert unread("tokenpak.cli.ctl", "status", "--state-dir", str(tmp_path)) == (Code.STOPPED, b"")


def test_another_pipe_that_breaks_is_a_defect(capfd):
    with pytest.raises(BrokenPipeError), reader_may_leave():
        raise BrokenPipeError


@pytest.mark.parametrize(
    "arguments",
    [["--foo"], ["foo"], ["requests", "--foo"], ["requests", "--limit", "many"], ["show", "a", "b"], ["show"]],
)
def test_a_command_line_that_cannot_be_understood_has_a_code_of_its_own(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run("tokenpak", "about", main.COMMANDS, arguments)
    assert ended.value.code == NOT_UNDERSTOOD == 64
    told = capsys.readouterr()
    assert (told.out, told.err != "") == ("", True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compress", "x", "--floor", "-5"], "--floor"),
        (["events", "--limit", "-1"], "--limit"),
        (["--foo"], "Unknown option: --foo."),
    ],
)
def test_what_is_not_understood_is_named(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        run("tokenpak", "about", main.COMMANDS, arguments)
    assert ended.value.code == NOT_UNDERSTOOD
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", ["tokenpak", "tokenpakctl"])
def test_the_pages_tell_of_that_code(name):
    assert PAGES[name].exits[NOT_UNDERSTOOD] == "the command line could not be understood"
