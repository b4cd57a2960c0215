"""The command as a user runs it."""

import json
import signal
import subprocess
import sys

import httpx
import pytest

from tokenpak.cli.commands.mock_provider import mock_provider, ready_line

RUN = "import sys; from tokenpak.cli.commands.mock_provider import mock_provider; sys.exit(mock_provider(**eval(sys.argv[1])))"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_told_to_stop(told):
    options = {"fault": ["refuse status=529 times=1"], "pieces": 2}
    command = [sys.executable, "-c", RUN, repr(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        assert ready["pid"] == process.pid
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        statuses = [httpx.post(f"{ready['url']}/v1/messages", json=body, trust_env=False).status_code for _ in range(2)]
        assert statuses == [529, 200]
        process.send_signal(told)
        assert process.wait(10) == 0


def test_a_bad_fault_is_named(capsys):
    assert mock_provider(fault=["melt"]) == 64
    said = capsys.readouterr().err
    assert "melt" in said
    assert "Faults are refuse, error_event, cut, stall, slow, drop." in said


def test_a_taken_port_is_named(capsys):
    with subprocess.Popen([sys.executable, "-c", RUN, "{}"], stdout=subprocess.PIPE, text=True) as process:
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        assert mock_provider(port=port) == 1
        process.terminate()
    assert str(port) in capsys.readouterr().err


def test_the_ready_line_is_one_line_of_json():
    assert json.loads(ready_line("http://x", 1)) == {"ready": True, "url": "http://x", "pid": 1}
