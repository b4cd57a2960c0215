import pytest

from tokenpak.cli.commands import restart as module
from tokenpak.cli.commands.restart import restart_command
from tokenpak.control.supervisor import NotRunning


@pytest.mark.parametrize("program", [None, "front"])
def test_where_nothing_runs_the_next_step_is_told(tmp_path, program):
    with pytest.raises(NotRunning, match=r"TokenPak is not running.*`tokenpakctl start`"):
        restart_command(program, state_dir=tmp_path)


@pytest.mark.parametrize("program", [None, "front"])
def test_each_step_is_told(tmp_path, monkeypatch, capsys, program):
    asked = []

    def restart(settings, word, tell):
        asked.append((settings.state_dir, word))
        tell("restarting")

    monkeypatch.setattr(module, "restart", restart)
    assert restart_command(program, state_dir=tmp_path) == 0
    assert asked == [(str(tmp_path), program)]
    assert capsys.readouterr().out == "tokenpak: restarting\n"
