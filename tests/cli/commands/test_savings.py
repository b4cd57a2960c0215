import csv
import io
import json

import pytest
from report_lab import fill

from tokenpak.cli.commands.cost import cost
from tokenpak.cli.commands.events import BadMoment
from tokenpak.cli.commands.savings import Told, _drift, savings
from tokenpak.core.ledger import Used
from tokenpak.telemetry.queries import StoreUnreadableError
from tokenpak.telemetry.reports import Drift


@pytest.fixture
def state(tmp_path):
    fill(tmp_path)
    return tmp_path


def test_lines_by_cause_and_mechanism_and_no_sum(state, capsys):
    assert savings(since="1h", state_dir=state) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["CAUSE", "MECHANISM", "BASIS", "REQUESTS", "TOKENS", "SAVED", "±", "NO", "PRICE"]
    assert lines[2] == ["client", "provider_cache", "provider", "1", "900", "$0.0001", "-", "0"]
    assert lines[3] == ["proxy", "compression", "estimate", "1", "100", "<$0.0001", "<$0.0001", "0"]
    assert lines[4][0] == "No"
    assert lines[6] == ["mystery", "1"]


def test_drift_stands_beside(state, capsys):
    savings(since="1h", state_dir=state)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["served", "1", "expected", "20", "10", "30", "0", "0", "16.7%"] in lines
    assert ["served", "1", "reported", "10", "20", "30", "0", "0", "-"] in lines


def test_today_and_seven_days_when_nothing_is_said(state, capsys):
    savings(json=True, state_dir=state)
    told = json.loads(capsys.readouterr().out)["periods"]
    assert [period["period"] for period in told] == ["today", "7 days"]
    assert told[1]["savings"][1]["spread_nanos"] == 500
    assert told[1]["unpriced"] == [{"model": "mystery", "requests": 1}]


def test_by_a_key_and_as_csv(state, capsys):
    savings(since="all", by="project", csv=True, state_dir=state)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["saved_key"], row["saved_cause"], row["saved_nanos"]) for row in rows] == [
        ("pak", "client", "80000"),
        ("pak", "proxy", "5000"),
    ]


def test_nothing_is_said_to_be_nothing(state, capsys):
    assert savings(since="2999-01-01", state_dir=state) == 0
    assert capsys.readouterr().out == "Saved, since 2999-01-01\n  nothing\n"


@pytest.mark.parametrize("command", [savings, cost])
def test_a_time_that_cannot_be_read_is_said_before_there_is_a_store(tmp_path, command):
    with pytest.raises(BadMoment, match="or all"):
        command(since="yesterday", state_dir=tmp_path)


def test_why_there_is_no_cost(state, capsys):
    savings(since="1h", state_dir=state)
    line = capsys.readouterr().out.splitlines()[4]
    assert line == "No cost. A part of what was used has no price, or the reply broke off before its output was told:"


def test_no_drift_from_nothing():
    drift = Drift("gpt-5", 1, Used(0, 0, 0, 0, 0), Used(5, 0, 0, 0, 0))
    rows = [line.split() for line in _drift(Told("all", 0, None, (), (), (drift,))).splitlines()]
    assert [row[-1] for row in rows[1:]] == ["-", "-"]


def test_no_store_is_an_error(tmp_path):
    with pytest.raises(StoreUnreadableError):
        savings(state_dir=tmp_path)
