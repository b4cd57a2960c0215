import io
import json
import subprocess
import sys
import time

import pytest
from report_lab import fill

from tokenpak.cli.commands import statusline as module
from tokenpak.config.paths import paths_for

HEAVY = {"cyclopts", "msgspec", "sqlalchemy", "sqlmodel", "alembic", "rich", "zmq", "trio", "httpx", "structlog"}
SAID = json.dumps({"session_id": "session", "model": {"id": "m"}, "cwd": "/w"})


@pytest.fixture
def state(tmp_path):
    fill(tmp_path)
    return tmp_path


def run(state, *arguments, said=SAID):
    code = (
        "import sys\nfrom tokenpak.cli.main import main\nsys.argv[0] = 'tokenpak'\n"
        "try:\n    main()\nfinally:\n    print(' '.join(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "statusline", "--state-dir", str(state), *arguments]
    return subprocess.run(command, input=said, capture_output=True, text=True, timeout=30, check=False)


def test_one_line_about_the_session_and_today_without_a_heavy_import(state):
    found = run(state)
    assert found.returncode == 0
    assert found.stdout.startswith("tokenpak: session $1.50, 3 requests, 1 without a cost, 31% of input from cache")
    assert " | today $1.50, 3 requests" in found.stdout
    assert found.stdout.count("\n") == 1
    assert not set(found.stderr.split()) & HEAVY


@pytest.mark.parametrize("said", ["", "no JSON", "[1]", '{"session_id": 5}', '{"session_id": "other"}', "\xff"])
def test_whatever_is_said_there_is_a_line(state, said):
    found = run(state, said=said)
    assert (found.returncode, found.stdout.startswith("tokenpak: today")) == (0, True)


def test_as_json_and_csv(state):
    told = json.loads(run(state, "--json").stdout)
    assert (told["session"]["nanos"], told["today"]["requests"]) == (1_500_000_000, 3)
    lines = run(state, "--csv").stdout.splitlines()
    assert lines[0].startswith("of,requests,nanos,unpriced")
    assert [line.split(",")[0] for line in lines[1:]] == ["session", "today"]


def test_no_store_is_no_error(tmp_path):
    found = run(tmp_path)
    assert (found.returncode, found.stdout) == (0, "tokenpak: no request recorded yet\n")
    assert json.loads(run(tmp_path, "--json").stdout) == {"trouble": "no request recorded yet"}
    paths_for(tmp_path).database.write_bytes(b"garbage " * 1000)
    assert run(tmp_path).stdout == "tokenpak: the store cannot be read\n"


def test_help_says_where_it_goes(capsys):
    assert module.main(["--help"]) == 0
    assert "statusLine" in capsys.readouterr().out


def test_a_caller_that_keeps_its_pipe_open_and_says_nothing_is_not_waited_for(state):
    command = [sys.executable, "-m", "tokenpak.cli.main", "statusline", "--state-dir", str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"tokenpak: today")
        assert process.wait(20) == 0


def test_what_was_saved_may_be_below_nothing(state):
    figures = module.Figures(1, 5, 0, None, None, -2_000_000_000, 1_000_000_000)
    assert module._words("today", figures) == "today $0.00, 1 request, compression saved -$2.00 ± $1.00"


def test_midnight_is_the_users(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert (module.last_midnight_s() + 5 * 3600 + 45 * 60) % 86_400 == 0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_terminal_is_not_read(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(SAID))
    assert module._session() is None


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--foo"], "--foo"), (["--json", "x"], "x"), (["--state-dir"], "--state-dir"), (["--state-dir", "a", "b"], "b")],
)
def test_a_word_that_is_no_option_is_said_beside_the_line(capsys, arguments, word):
    assert module.main(arguments) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"tokenpak: not understood: {word}. ")
