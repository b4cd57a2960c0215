import os

import pytest
from estimate_lab import Claude, Codex, recording, says, working

from tokenpak.cli.estimate import logs
from tokenpak.cli.estimate.logs import answers, found, homes, read
from tokenpak.cli.estimate.turns import Broken, Turn


@pytest.fixture
def home(tmp_path):
    working("c1", turns=2).write(tmp_path / ".claude/projects/-p/c1.jsonl")
    agent = Claude("c1", isSidechain=True, agentId="a1")
    agent.user("look")
    agent.answer("msg_a", says("seen"))
    agent.write(tmp_path / ".claude/projects/-p/c1/subagents/agent-a1.jsonl")
    log = Codex()
    log.user("go")
    log.call("c")
    log.output("c", "text")
    log.count(10, 0)
    log.write(tmp_path / ".codex/sessions/2026/03/01/rollout-x.jsonl")
    return tmp_path


def kinds(files):
    return sorted((log.kind, log.path.name) for log in files)


def test_both_clients_logs_are_found_in_a_home(home):
    places = [place for place in homes(home, {}) if place.exists()]
    assert kinds(found(places)) == [
        ("claude-code", "agent-a1.jsonl"),
        ("claude-code", "c1.jsonl"),
        ("codex", "rollout-x.jsonl"),
    ]


def test_where_the_environment_says(home):
    assert home / "elsewhere/projects" in homes(home, {"CLAUDE_CONFIG_DIR": str(home / "elsewhere")})
    assert home / "other/sessions" in homes(home, {"CODEX_HOME": str(home / "other")})
    assert not any(".codex" in str(place) for place in homes(home, {"CODEX_HOME": "/x"}))


def test_recordings_and_nothing_else_of_a_folder(tmp_path):
    (tmp_path / "rec.json").write_bytes(recording())
    (tmp_path / "package.json").write_text('{"name":"x"}')
    (tmp_path / "other.jsonl").write_text('{"a":1}\n')
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "gone")
    assert kinds(found([tmp_path])) == [("recording", "rec.json")]
    assert kinds(found([tmp_path / "rec.json"])) == [("recording", "rec.json")]


def test_the_oldest_come_first(tmp_path):
    for nth, name in enumerate(("b", "a", "c")):
        path = working(name, turns=1).write(tmp_path / f"{name}.jsonl")
        os.utime(path, (100 + nth, 100 + nth))
    assert [log.path.stem for log in found([tmp_path])] == ["b", "a", "c"]


def test_every_kind_is_read(home, tmp_path):
    (tmp_path / "rec.json").write_bytes(recording())
    turns = {log.path.name: [each for each in read(log) if isinstance(each, Turn)] for log in found([home])}
    assert {name: len(each) for name, each in turns.items()} == {
        "agent-a1.jsonl": 1,
        "c1.jsonl": 2,
        "rec.json": 4,
        "rollout-x.jsonl": 1,
    }
    assert turns["agent-a1.jsonl"][0].conversation == "agent a1"
    assert turns["rollout-x.jsonl"][0].usage is not None


def test_a_line_beyond_the_bound_is_told_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "LONGEST_LINE", 2000)
    log = Claude()
    log.user("go")
    log.user("x" * 10_000)
    log.answer("msg_1", says("done"))
    log.write(tmp_path / "a.jsonl")
    (only,) = found([tmp_path])
    assert sorted(type(each).__name__ for each in read(only)) == ["Broken", "Turn"]
    assert Broken("long") in list(read(only))


def test_a_file_that_is_gone_is_told(home):
    for log in found([home]):
        log.path.unlink()
        assert list(read(log)) == [Broken("file")]
        assert answers(log) == set()


def test_answers_by_the_ids_of_the_provider(tmp_path, home):
    by_name = {log.path.name: answers(log) for log in found([home])}
    assert by_name["c1.jsonl"] == {b"msg_c10", b"msg_c11"}
    log = Codex()
    log.line("token_usage_record", {"response_id": "resp_1", "usage": {}})
    log.write(tmp_path / "x/rollout.jsonl")
    assert [answers(each) for each in found([tmp_path / "x"])] == [{b"resp_1"}]
