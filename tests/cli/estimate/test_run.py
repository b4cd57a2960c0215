import os

import pytest
from estimate_lab import Claude, says, working

from tokenpak.cli.estimate import run as running
from tokenpak.cli.estimate.logs import found
from tokenpak.cli.estimate.run import Plan, run
from tokenpak.config.prices import in_force, shipped

TABLE = in_force(shipped(), {}, "2026-03-01")


@pytest.fixture
def folder(tmp_path):
    for nth in range(3):
        path = working(f"s{nth}", turns=4).write(tmp_path / f"{nth}.jsonl")
        os.utime(path, (nth, nth))
    agent = Claude("s1", isSidechain=True, agentId="a")
    agent.user("look")
    agent.answer("msg_a", says("seen"))
    os.utime(agent.write(tmp_path / "agent-a.jsonl"), (3, 3))
    return tmp_path


def played(folder, **how):
    done = []
    rows, counts = run(Plan(found([folder]), (), TABLE, **how), done.append)
    return rows, counts, done


def test_every_file_is_replayed_and_told_of(folder):
    rows, counts, done = played(folder)
    assert [(row.session, row.requests) for row in rows] == [("s0", 4), ("s1", 5), ("s2", 4)]
    assert rows[1].conversations == {"main", "agent a"}
    assert counts.files == len(done) == 4
    assert sum(done) == sum(path.stat().st_size for path in folder.iterdir())


def test_two_processes_tell_the_same(folder, monkeypatch):
    alone = played(folder)
    monkeypatch.setattr(running, "WORTH_TWO", 0)
    assert played(folder) == alone


def test_a_copy_is_booked_once(folder):
    before, _, _ = played(folder)
    copy = working("s9", turns=4)
    copied = working("s0", turns=4)
    for line in copied.lines:
        line["sessionId"] = "s9"
    copied.lines += copy.lines[-2:]
    copied.common["sessionId"] = "s9"
    os.utime(copied.write(folder / "copy.jsonl"), (9, 9))
    rows, counts, _ = played(folder)
    assert counts.copied == 4
    assert sum(row.requests for row in rows) == sum(row.requests for row in before) + 1


def test_what_was_asked_for_reaches_the_replay(folder):
    rows, _, _ = played(folder, since=1772359200.0 + 50)
    assert [row.requests for row in rows] == [1, 1, 1]
