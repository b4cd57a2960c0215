import time

import pytest

from tokenpak.cli import ctl
from tokenpak.cli.application import NOT_UNDERSTOOD
from tokenpak.cli.commands import logs as module
from tokenpak.cli.commands.logs import logs
from tokenpak.config.paths import paths_for, prepare


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    (found.logs / "supervisord.log").write_text("s1\ns2\n")
    (found.logs / "writer.log").write_text("w1\nw2\nw3\n")
    return found


def test_the_end_of_every_log_with_its_name(paths, capsys):
    assert logs(lines=2, state_dir=paths.state) == 0
    assert capsys.readouterr().out.splitlines() == [
        "supervisord | s1",
        "supervisord | s2",
        "writer      | w2",
        "writer      | w3",
    ]


def test_one_log_as_it_is(paths, capsys):
    logs("writer", state_dir=paths.state)
    assert capsys.readouterr().out == "w1\nw2\nw3\n"


def test_where_there_are_none_that_is_said(tmp_path, capsys):
    assert logs(state_dir=tmp_path / "new") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert f"there are no logs in {tmp_path / 'new' / 'logs'} yet" in err


def test_a_number_below_nothing_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        ctl.run("tokenpakctl", ctl.ABOUT, ctl.COMMANDS, ["logs", "-n", "-3", f"--state-dir={tmp_path}"])
    assert ended.value.code == NOT_UNDERSTOOD


def test_following_shows_what_is_added_until_it_is_interrupted(paths, capsys, monkeypatch):
    turns = []

    def sleep(_seconds):
        turns.append(1)
        if len(turns) == 3:
            raise KeyboardInterrupt
        with (paths.logs / "writer.log").open("a") as log:
            log.write(f"new {len(turns)}\n")

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(module, "POLL_S", 0)
    assert logs("writer", follow=True, lines=1, state_dir=paths.state) == 0
    assert capsys.readouterr().out == "w3\nnew 1\nnew 2\n"
