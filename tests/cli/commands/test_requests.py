import json
import re
import sys

import pytest
from report_lab import fill
from store_lab import name_of

from tests.cli.terminal import Terminal
from tokenpak.cli.application import run
from tokenpak.cli.commands.requests import requests
from tokenpak.cli.main import COMMANDS


@pytest.fixture
def state(tmp_path):
    fill(tmp_path)
    return tmp_path


def test_the_newest_first(state, capsys):
    assert requests(state_dir=state) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[2] for line in lines[1:]] == [name_of(3), name_of(2), name_of(1)]
    assert lines[3][3:] == ["claude-code", "served", "done", "200", "60", "20", "40", "$1.5000", "100", "expired"]
    assert lines[1][3:] == ["aider", "asked", "open", "-", "-", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"limit": 1}, [3]),
        ({"client": "aider"}, [3]),
        ({"project": "pak"}, [1]),
        ({"model": "mystery"}, [2]),
        ({"session": "none"}, []),
        ({"state": "done", "since": "all"}, [2, 1]),
        ({"since": "2999-01-01"}, []),
    ],
)
def test_filters(state, capsys, options, numbers):
    requests(json=True, state_dir=state, **options)
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [name_of(number) for number in numbers]


def test_as_csv_and_nothing(state, capsys):
    requests(csv=True, state_dir=state)
    assert capsys.readouterr().out.count("\n") == 4
    requests(client="nobody", state_dir=state)
    assert capsys.readouterr().out == "no request\n"


@pytest.mark.parametrize(("columns", "short"), [(200, False), (80, True)])
def test_a_terminal_without_the_room_gets_less_of_when_and_which(state, monkeypatch, columns, short):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", Terminal())
    requests(state_dir=state)
    line = sys.stdout.getvalue().splitlines()[-1].split()
    assert line[2] == (name_of(1)[:13] if short else name_of(1))
    pattern = r"\d\d-\d\d \d\d:\d\d" if short else r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(pattern, " ".join(line[:2]))


@pytest.mark.parametrize("limit", ["0", "-1", "1001"])
def test_no_more_is_promised_than_can_be_shown(limit, capsys):
    with pytest.raises(SystemExit) as ended:
        run("tokenpak", "", COMMANDS, ["requests", "--limit", limit])
    assert ended.value.code == 64
    assert "--limit" in capsys.readouterr().err
