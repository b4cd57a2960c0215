import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.integrations.house import ROOT, TEXTS, House
from tokenpak.integrations import journal
from tokenpak.integrations.errors import CannotIntegrate

TOP = Path(__file__).parent.parent.parent


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_killed_before_any_step_it_can_be_undone(tmp_path):
    """apply, apply again with another port, and undo, each killed before every step that touches the disk."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.integrations.killing", str(tmp_path / "place")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=TOP,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["wrong"] == []
    assert found["steps"] > 60


def test_the_entry_is_there_before_the_file_is_written(house, monkeypatch):
    file = house.put("codex", TEXTS["codex"])
    seen = []
    save = journal.save
    monkeypatch.setattr(journal, "save", lambda *given: seen.append(file.read_text()) or save(*given))
    house.apply("codex")
    assert seen == [TEXTS["codex"]]


def test_an_entry_holds_spans_and_hashes_and_no_text_of_the_file(house):
    house.put("claude-code", TEXTS["claude-code"])
    house.apply("claude-code")
    (entry,) = journal.entries(house.paths)
    put = "".join(each.new for each in entry.splices)
    assert ROOT in put
    assert len(put) < 80
    assert "".join(each.old for each in entry.splices) == ""
    assert {len(entry.before), len(entry.after)} == {64}


def test_an_entry_that_cannot_be_read_is_named(house):
    house.apply("codex")
    file = house.paths.integrations / "codex.json"
    file.write_text("{")
    with pytest.raises(CannotIntegrate, match=r"codex\.json cannot be read by this version"):
        journal.entry_of(house.paths, "codex")
    (broken,) = journal.entries(house.paths)
    assert broken.client == "codex"
    assert "cannot be read" in house.apply("codex").words
    assert "cannot be read" in house.undo("codex").words


def test_an_entry_of_another_version_is_not_guessed_at(house):
    house.apply("codex")
    entry = journal.entry_of(house.paths, "codex")
    file = house.paths.integrations / "codex.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(entry, version=2)))
    assert isinstance(journal.entries(house.paths)[0], journal.Broken)


def test_two_at_once_take_turns(house):
    with journal.locked(house.paths):
        code = (
            "import fcntl, sys\nhandle = open(sys.argv[1])\n"
            "try:\n    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept BlockingIOError:\n    sys.exit(7)"
        )
        run = subprocess.run([sys.executable, "-c", code, str(house.paths.integrations / "lock")], check=False)
        assert run.returncode == 7
    run = subprocess.run([sys.executable, "-c", code, str(house.paths.integrations / "lock")], check=False)
    assert run.returncode == 0


def test_a_state_directory_that_cannot_be_made_is_told_and_nothing_written(house):
    house.paths.state.write_text("a file")
    file = house.put("codex", TEXTS["codex"])
    assert house.apply("codex").kind == "failed"
    assert file.read_text() == TEXTS["codex"]
