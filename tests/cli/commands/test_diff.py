import json
import time

import pytest
from money_lab import told
from store_lab import name_of

from tokenpak.cli.commands.compress import compress
from tokenpak.cli.commands.diff import NOT_STORED, diff
from tokenpak.config.paths import paths_for
from tokenpak.config.settings import ConfigError
from tokenpak.ipc.events import PassTally
from tokenpak.telemetry.book import Book

TEXT = "\n".join(f"{number}: the quick brown fox of line {number}" for number in range(400))


def conversation():
    """Two results with the same text: the second one is edited."""
    messages = [{"role": "user", "content": "read it twice"}]
    for turn in "ab":
        call = {"type": "tool_use", "id": turn, "name": "Read", "input": {"file_path": "/notes.txt"}}
        result = {"type": "tool_result", "tool_use_id": turn, "content": TEXT}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return json.dumps({"model": "asked", "max_tokens": 5, "messages": messages}).encode()


@pytest.fixture
def body(tmp_path):
    (tmp_path / "body.json").write_bytes(conversation())
    return tmp_path / "body.json"


@pytest.fixture
def state(tmp_path, body, capsys):
    assert compress(body, json=True) == 0
    passes = json.loads(capsys.readouterr().out)["passes"]
    tallies = {name: PassTally(each["edits"], each["tokens_saved"]) for name, each in passes.items()}
    assert tallies
    beside = {name: PassTally(2, 0) for name in ("cache-marks", "budget-warning", "redact", "found")}
    (tmp_path / "state").mkdir()
    book = Book(paths_for(tmp_path / "state").database)
    size = body.stat().st_size
    book.commit(told(1, time.time_ns(), passes={**tallies, **beside}, bytes_before=size))
    book.commit(told(2, time.time_ns(), passes={"gone": PassTally(1, 2)}, bytes_before=size + 1))
    book.commit(told(4, time.time_ns(), passes=tallies, bytes_before=size // 3))
    book.commit(told(3, time.time_ns(), {"format": None}))
    book.close()
    return tmp_path / "state"


def test_edits_and_the_counts_of_both(state, body, capsys):
    assert diff(name_of(1), body=body, state_dir=state) == 0
    out = capsys.readouterr().out
    assert "bytes " in out
    assert "\n- 0: the quick brown fox" in out
    assert "\n+ " in out
    assert "never stored" in out
    assert "!" not in out
    assert "cache-marks" not in out


def test_a_body_that_was_coded_on_its_way_is_no_other(state, body, capsys):
    assert diff(name_of(4), body=body, json=True, state_dir=state) == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert "coded on its way" in warning


def test_what_differs_is_said(state, body, capsys):
    assert diff(name_of(2), body=body, json=True, state_dir=state) == 1
    found = json.loads(capsys.readouterr().out)
    assert ["not the body" in found["warnings"][0], "counts differ" in found["warnings"][1]] == [True, True]
    gone = next(each for each in found["passes"] if each["name"] == "gone")
    assert (gone["edits"], gone["edits_again"]) == (1, None)
    edit = found["edits"][0]
    assert conversation()[edit["start"] : edit["end"]].decode() == edit["old"]


def test_as_csv(state, body, capsys):
    diff(name_of(1), body=body, csv=True, state_dir=state)
    assert capsys.readouterr().out.startswith("start,end,pass,old,new\n")


def test_without_a_body_there_is_nothing_to_compare(state):
    with pytest.raises(ConfigError) as caught:
        diff(name_of(1), state_dir=state)
    assert NOT_STORED in str(caught.value)


def test_a_request_that_was_not_read_has_no_edits(state, body):
    with pytest.raises(ConfigError, match="was not read"):
        diff(name_of(3), body=body, state_dir=state)


def test_a_body_that_is_none(state, tmp_path):
    (tmp_path / "bad").write_text("[]")
    with pytest.raises(ConfigError, match=r"cannot be|can be read exactly"):
        diff(name_of(1), body=tmp_path / "bad", state_dir=state)
