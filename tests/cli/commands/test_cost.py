import json

import pytest
from report_lab import fill

from tokenpak.cli.commands.cost import cost


@pytest.fixture
def state(tmp_path):
    fill(tmp_path)
    return tmp_path


def test_what_has_no_price_is_shown_and_not_added(state, capsys):
    assert cost(since="1h", by="model", state_dir=state) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "UNCACHED" in lines[1]
    assert "INPUT" not in lines[1]
    assert lines[2] == ["served", "1", "$1.5000", "1", "0", "0", "10", "20", "30", "-", "-", "40"]
    assert [line[:5] for line in lines[3:5]] == [["asked", "1", "-", "0", "0"], ["mystery", "1", "-", "0", "1"]]
    assert " ".join(lines[5]).startswith("No cost told: mystery (1).")


def test_today_and_seven_days(state, capsys):
    cost(json=True, state_dir=state)
    periods = json.loads(capsys.readouterr().out)["periods"]
    assert [(period["period"], period["costs"][0]["nanos"]) for period in periods][1] == ("7 days", 1_500_000_000)


def test_as_csv(state, capsys):
    cost(since="all", by="client", csv=True, state_dir=state)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("period,since_ns,cost_key,cost_requests")
    assert [line.split(",")[2] for line in lines] == ["claude-code", "aider"]


def test_no_request(state, capsys):
    cost(since="2999-01-01", state_dir=state)
    assert "no request" in capsys.readouterr().out
