import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integrations.house import TEXTS, House
from tests.integrations.livez import serving
from tokenpak.cli.commands import integrate as module
from tokenpak.cli.commands.integrate import integrate, list_clients, verify
from tokenpak.config.settings import ConfigError
from tokenpak.control.ensure import Ensured, NotServing
from tokenpak.integrations import undo_all
from tokenpak.integrations.errors import CannotIntegrate

ROOT = "http://127.0.0.1:8766"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """The home directory of this shell, and nothing else of it."""
    found = House(tmp_path)
    for name in os.environ:
        if name.startswith(("TOKENPAK_", "ANTHROPIC_", "OPENAI_", "XDG_", "CODEX_", "CLAUDE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("TOKENPAK_STATE_DIR", found.paths.state.as_posix())
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
def ensured(monkeypatch):
    """What was asked of the instance, which serves."""
    asked = []

    def ensure(settings, *, start):
        asked.append((settings.url, start))
        return Ensured("TokenPak serves.")

    monkeypatch.setattr(module, "ensure_serving", ensure)
    return asked


def outcomes(capsys):
    return {each["client"]: each for each in json.loads(capsys.readouterr().out)}


def test_without_apply_it_shows_and_writes_nothing(house, ensured, capsys):
    house.put("codex", TEXTS["codex"])
    before = house.tree()
    assert integrate("codex") == 0
    out = capsys.readouterr().out
    assert '+openai_base_url = "http://127.0.0.1:8766/v1"' in out
    assert "--apply does it" in out
    assert "planted" not in out
    assert (house.tree(), ensured) == (before, [])


def test_the_file_is_written_once_tokenpak_serves(house, monkeypatch, capsys):
    file = house.put("codex", TEXTS["codex"])
    seen = []
    monkeypatch.setattr(
        module, "ensure_serving", lambda settings, *, start: seen.append(file.read_text()) or Ensured("It was started.")
    )
    assert integrate("codex", apply=True) == 0
    assert seen == [TEXTS["codex"]]
    assert ROOT in file.read_text()
    assert "  - It was started.\n" in capsys.readouterr().out
    assert integrate("codex", undo=True) == 0
    assert file.read_text() == TEXTS["codex"]


def test_where_nothing_serves_nothing_is_written(house, monkeypatch):
    house.put("codex", TEXTS["codex"])
    before = house.tree()

    def ensure(_settings, *, start):
        assert start is False
        raise NotServing("nothing serves")

    monkeypatch.setattr(module, "ensure_serving", ensure)
    with pytest.raises(NotServing):
        integrate("codex", apply=True, start=False)
    assert house.tree() == before


@pytest.mark.parametrize("client", ["cursor", "litellm"])
def test_for_what_cannot_be_written_nothing_is_started(house, ensured, client):
    integrate(client, apply=True)
    assert ensured == []


def test_exit_codes(house, ensured):
    assert integrate("cursor") == 0
    assert integrate("cursor", apply=True) == 1
    assert integrate("anthropic-sdk", apply=True) == 0
    house.put("codex", "= 1")
    assert integrate("codex") == 1
    assert integrate("codex", undo=True) == 0


def test_all_are_those_that_are_found(house, ensured, capsys):
    house.put("codex", TEXTS["codex"])
    house.put("gemini-cli", TEXTS["gemini-cli"])
    (house.home / ".cursor").mkdir()
    before = house.tree()
    assert integrate(all=True, apply=True, json=True) == 0
    found = outcomes(capsys)
    assert {name: each["kind"] for name, each in found.items()} == {
        "codex": "written",
        "gemini-cli": "written",
        "cursor": "refused",
    }
    assert len(ensured) == 1
    assert integrate(all=True, undo=True, json=True) == 0
    assert {each["kind"] for each in outcomes(capsys).values()} == {"restored"}
    assert house.tree() == before


def test_one_that_fails_keeps_no_other_back(house, ensured, capsys):
    house.put("codex", "= 1")
    house.put("aider", TEXTS["aider"])
    assert integrate(all=True, apply=True) == 1
    assert ROOT in house.file("aider").read_text()
    assert "codex: NOT DONE: " in capsys.readouterr().out


def test_with_no_client_it_lists(house, capsys):
    assert integrate() == 0
    assert capsys.readouterr().out.startswith("CLIENT ")
    assert integrate(all=True) == 0
    assert capsys.readouterr().out == "nothing to do\n"


def test_contradictions_and_strangers(house):
    with pytest.raises(ConfigError):
        integrate("codex", apply=True, undo=True)
    with pytest.raises(ConfigError):
        integrate("codex", all=True)
    with pytest.raises(CannotIntegrate):
        integrate("emacs")


@pytest.mark.parametrize("option", [{"apply": True}, {"undo": True}])
def test_nothing_is_done_to_no_client(house, option):
    with pytest.raises(ConfigError, match="name a client, or --all"):
        integrate(**option)


@pytest.fixture
def broken(house, monkeypatch):
    """A client that calls TokenPak, whose configuration cannot be used by now."""
    house.put("codex", TEXTS["codex"])
    house.apply("codex")
    config = house.home.parent / "config.toml"
    config.write_text("colour = 1\n")
    monkeypatch.setenv("TOKENPAK_CONFIG", str(config))
    return house


@pytest.mark.parametrize("chosen", [("codex",), ()])
def test_the_way_out_needs_no_configuration(broken, chosen):
    assert integrate(*chosen, all=not chosen, undo=True) == 0
    assert broken.file("codex").read_text() == TEXTS["codex"]
    with pytest.raises(ConfigError, match="colour"):
        integrate("codex", apply=True)


def test_the_list_is_shown_beside_what_is_wrong_with_the_configuration(broken, capsys):
    assert list_clients() == 0
    out, err = capsys.readouterr()
    assert out.startswith("CLIENT ")
    assert "unknown key 'colour'" in err
    assert f"until that is mended, {ROOT} is taken for its address" in err


def test_the_list(house, ensured, capsys):
    house.put("codex", TEXTS["codex"])
    integrate("codex", apply=True)
    capsys.readouterr()
    assert list_clients() == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert lines["codex"] == ["yes", "-", f"{ROOT}/v1", "yes", "yes"]
    assert lines["cline"] == ["-"] * 5
    assert list_clients(json=True) == 0
    assert len(json.loads(capsys.readouterr().out)) == 11


def test_verify_asks_where_the_client_calls(house, monkeypatch, capsys):
    with serving() as (root, asked):
        monkeypatch.setenv("TOKENPAK_PORT", root.rsplit(":", 1)[1])
        house.apply("aider", root)
        assert verify("aider") == 0
        assert asked == ["/livez"]
    assert verify("aider", json=True) == 1
    out = capsys.readouterr().out
    assert "aider: TokenPak answers" in out
    assert '"well": false' in out


def test_a_call_is_made_on_request_and_only_where_it_would_come_here(house, monkeypatch):
    calls = []
    from tokenpak.integrations import call as calling
    from tokenpak.integrations.verify import Verdict

    monkeypatch.setattr(calling, "call", lambda *_: calls.append(1) or Verdict("aider", well=False, words="no row"))
    assert verify("aider", call=True) == 1
    assert calls == []
    with serving() as (root, _):
        monkeypatch.setenv("TOKENPAK_PORT", root.rsplit(":", 1)[1])
        house.apply("aider", root)
        assert verify("aider") == 0
        assert verify("aider", call=True) == 1
    assert calls == [1]


def test_the_port_of_the_configuration_is_the_one(house, ensured, monkeypatch):
    monkeypatch.setenv("TOKENPAK_PORT", "9911")
    monkeypatch.setenv("TOKENPAK_HOST", "127.0.0.1")
    integrate("aider", apply=True)
    assert ensured == [("http://127.0.0.1:9911", True)]
    assert "http://127.0.0.1:9911/v1" in house.file("aider").read_text()


def test_a_token_that_is_asked_for_is_told(house, ensured, monkeypatch, capsys):
    monkeypatch.setenv("TOKENPAK_TOKENS", f'{{laptop = "sha256:{"a" * 64}"}}')
    integrate("aider", apply=True)
    assert "x-tokenpak-token" in capsys.readouterr().out


def test_the_words_of_the_command_line(house):
    house.put("codex", TEXTS["codex"])
    run = [sys.executable, "-m", "tokenpak.cli.main", "integrate"]
    top = Path(module.__file__).parents[3]

    def told(*words):
        return subprocess.run([*run, *words], capture_output=True, text=True, timeout=60, check=False, cwd=top)

    assert told("list").stdout.startswith("CLIENT ")
    assert "+openai_base_url" in told("codex").stdout
    assert told("verify", "codex").returncode == 1
    strange = told("emacs")
    assert strange.returncode == 1
    assert strange.stderr.startswith("tokenpak: emacs is none of the clients")
    refused = told("codex", "--apply", "--no-start")
    assert refused.returncode == 1
    assert "nothing serves at" in refused.stderr
    assert house.file("codex").read_text() == TEXTS["codex"]
    assert undo_all(house.paths, house.home, {}) == ()
