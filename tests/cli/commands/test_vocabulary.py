import hashlib
import os
from pathlib import Path

import pytest
import tiktoken

from tokenpak.cli.commands import vocabulary as command
from tokenpak.services.tokens import Vocabulary, find_vocabulary

FILE = b"IQ== 0\n"
TINY = Vocabulary("tiny", len(FILE), hashlib.sha256(FILE).hexdigest(), "")


@pytest.fixture(autouse=True)
def _small_world(tmp_path, monkeypatch):
    """A small vocabulary, and nothing to find but what lies in the instance's own directory."""
    monkeypatch.setattr(command, "O200K", TINY)
    monkeypatch.setattr(command, "search_path", lambda own: (own,))
    monkeypatch.setattr(command, "find_vocabulary", lambda search: find_vocabulary(search, TINY))
    monkeypatch.setattr(command, "default_config_file", lambda: tmp_path / "no-config.toml")
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)


def put(place):
    place.mkdir(parents=True)
    (place / "file").write_bytes(FILE)


def run(*words):
    """The exit code, as the command line would have it."""
    return command.app(words, exit_on_error=False, result_action="return_value")


def test_it_says_where_the_vocabulary_is(tmp_path, capsys):
    put(tmp_path / "vocabulary")
    assert run("--state-dir", str(tmp_path)) == 0
    assert capsys.readouterr().out == f"tiny: {tmp_path / 'vocabulary' / 'file'}\n"


def test_it_says_what_to_do_without_one(tmp_path, capsys):
    assert run("--state-dir", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "not found" in out
    assert "tokenpak vocabulary fetch" in out
    assert str(tmp_path / "vocabulary") in out


def test_the_state_directory_is_settled_as_for_the_service(tmp_path, capsys, monkeypatch):
    put(tmp_path / "a" / "vocabulary")
    put(tmp_path / "b" / "vocabulary")
    (tmp_path / "config.toml").write_text(f'state_dir = "{tmp_path / "b"}"\n')
    assert run("--config", str(tmp_path / "config.toml")) == 0
    assert str(tmp_path / "b") in capsys.readouterr().out
    monkeypatch.setenv("TOKENPAK_STATE_DIR", str(tmp_path / "a"))
    assert run() == 0
    assert str(tmp_path / "a") in capsys.readouterr().out


def test_a_wrong_configuration_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"missing\.toml"):
        run("--config", str(tmp_path / "missing.toml"))


def test_fetch_downloads_nothing_that_is_there(tmp_path, capsys, monkeypatch):
    put(tmp_path / "vocabulary")
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: pytest.fail("downloaded"))
    assert run("fetch", "--state-dir", str(tmp_path)) == 0
    assert "nothing downloaded" in capsys.readouterr().out


def test_fetch_lets_tiktoken_store_its_file_and_tells(tmp_path, capsys, monkeypatch):
    def load(name):
        assert name == "tiny"
        (Path(os.environ["TIKTOKEN_CACHE_DIR"]) / "0f").write_bytes(FILE)

    monkeypatch.setattr(tiktoken, "get_encoding", load)
    assert run("fetch", "--state-dir", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "Downloading tiny" in out
    assert str(tmp_path / "vocabulary" / "0f") in out
    assert "TIKTOKEN_CACHE_DIR" not in os.environ
    assert (tmp_path / "vocabulary").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trouble", [ConnectionError("https://user:secret@host"), ValueError("hash"), None])
def test_fetch_says_what_went_wrong(tmp_path, capsys, monkeypatch, trouble):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "kept")

    def load(name):
        if trouble:
            raise trouble

    monkeypatch.setattr(tiktoken, "get_encoding", load)
    assert run("fetch", "--state-dir", str(tmp_path)) == 1
    err = capsys.readouterr().err
    assert "could not be fetched" in err
    assert (type(trouble).__name__ if trouble else "another file") in err
    assert "secret" not in err
    assert os.environ["TIKTOKEN_CACHE_DIR"] == "kept"


def test_fetch_needs_a_directory_of_its_own(tmp_path, capsys, monkeypatch):
    (tmp_path / "vocabulary").write_text("in the way")
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: pytest.fail("downloaded"))
    assert run("fetch", "--state-dir", str(tmp_path)) == 1
    assert str(tmp_path / "vocabulary") in capsys.readouterr().err
