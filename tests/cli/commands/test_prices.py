import io
import json
import socket
import stat

import pytest

from tokenpak.cli.commands import prices as command
from tokenpak.config import prices
from tokenpak.config.settings import ConfigError

SHIPPED = prices.SHIPPED.read_text()
DATE = prices.shipped().date
NEWER = SHIPPED.replace(f'"date": "{DATE}"', '"date": "2027-06-01"').replace(
    '"claude-opus-5-5": {"input": "4", "cache_read": "0.20"', '"claude-opus-5-5": {"input": "4", "cache_read": "0.30"'
)


@pytest.fixture(autouse=True)
def _world(tmp_path, monkeypatch):
    """One's own state directory, no configuration, and a network that must not be used."""
    for name in ("TOKENPAK_CONFIG", "TOKENPAK_PRICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("TOKENPAK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(command, "_today", lambda: DATE)
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("network"))


def run(*words):
    return command.app(words, exit_on_error=False, result_action="return_value")


@pytest.fixture
def newer(tmp_path):
    file = tmp_path / "newer.json"
    file.write_text(NEWER)
    return file


def test_every_model_in_force_is_shown_with_where_it_is_from(capsys):
    assert run() == 0
    out = capsys.readouterr().out
    assert f"shipped table of {DATE}" in out
    for family in prices.shipped().families.values():
        assert f"{family.source}, read {family.read}" in out
        for model, entry in family.entries.items():
            assert (f" {model} " in out) == (entry.until is None or entry.until >= DATE)
    assert "claude-haiku-5-5 > 100k" in out


def test_one_model_is_shown_by_any_of_its_names(capsys):
    assert run("show", "us.anthropic.claude-sonnet-4-5-20250929-v1:0") == 0
    line = capsys.readouterr().out.splitlines()[-1].split()
    assert line == ["anthropic", "claude-sonnet-4-5", "3", "0.3", "3.75", "6", "-", "15", "10", "table"]


def test_a_model_without_a_price_is_no_free_model(capsys):
    assert run("show", "llama3") == 1
    out = capsys.readouterr().out
    assert "llama3: no price." in out
    assert '[prices."llama3"]' in out


def test_a_promise_that_is_over_is_told(capsys):
    assert run("show", "gpt-5.6") == 1
    assert "promised until 2026-11-21" in capsys.readouterr().out


def test_json_holds_the_prices_and_their_identity(capsys):
    assert run("show", "gpt-6-luna", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == prices.in_force(prices.shipped(), {}, DATE).id
    assert [(row["above"], row["input"], row["cache_write_5m"]) for row in told["prices"]] == [
        (None, 100_000, None),
        (272_000, 200_000, None),
    ]


def test_ones_own_prices_are_shown_as_such(tmp_path, capsys):
    file = tmp_path / "config.toml"
    file.write_text('[prices."claude-opus-4-6"]\ninput = 1\noutput = 2\n[prices."lab/llama3"]\ninput = 0\noutput = 0\n')
    for model, row in (
        ("claude-opus-4-6", "any claude-opus-4-6 1 - - - - 2 -"),
        ("llama3", "lab llama3 0 - - - - 0 -"),
    ):
        assert run("show", model, "--config", str(file)) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split() for line in lines[lines.index("") + 2 :]] == [[*row.split(), "config"]]
    assert run("--config", str(file)) == 0
    out = capsys.readouterr().out
    assert out.count("claude-opus-4-6") == out.count("llama3") == 1
    assert run("diff", "--config", str(file)) == 0
    out = capsys.readouterr().out
    assert "~ anthropic claude-opus-4-6: input 5 -> 1, cache_read 0.5 -> -" in out
    assert "+ lab llama3: input 0, output 0" in out


def test_nothing_differs_from_the_shipped_table_at_first(capsys):
    assert run("diff") == 0
    assert "No price differs." in capsys.readouterr().out


def test_a_file_is_compared_without_being_used(newer, capsys):
    assert run("diff", str(newer)) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["~ anthropic claude-opus-5-5: cache_read 0.2 -> 0.3"]
    assert run("diff") == 0
    assert "No price differs." in capsys.readouterr().out


def test_a_file_changes_nothing_that_the_user_states(newer, tmp_path, capsys):
    file = tmp_path / "config.toml"
    file.write_text('[prices."claude-opus-5-5"]\ninput = 1\noutput = 2\n')
    assert run("diff", str(newer), "--config", str(file)) == 0
    assert "No price differs." in capsys.readouterr().out


def test_an_update_is_used_told_and_taken_back(newer, tmp_path, capsys):
    assert run("update", str(newer)) == 0
    assert "~ anthropic claude-opus-5-5: cache_read 0.2 -> 0.3" in capsys.readouterr().out
    installed = tmp_path / "state" / "prices.json"
    assert installed.read_text() == NEWER
    assert stat.S_IMODE(installed.stat().st_mode) == 0o600
    assert run("show", "claude-opus-5-5") == 0
    assert "installed table of 2027-06-01" in capsys.readouterr().out
    assert run("update", "--undo") == 0
    assert "~ anthropic claude-opus-5-5: cache_read 0.3 -> 0.2" in capsys.readouterr().out
    assert not installed.exists()


def test_an_update_may_come_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(NEWER.encode())))
    assert run("update", "-") == 0
    assert "cache_read 0.2 -> 0.3" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{}", SHIPPED.replace(DATE, "2000-01-01"), SHIPPED.replace('"5"', '"five"')])
def test_a_file_that_cannot_be_used_changes_nothing(tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.json: "):
        run("update", str(file))
    assert not (tmp_path / "state" / "prices.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("update",), "--undo"),
        (("update", "x", "--undo"), "not both"),
        (("update", "--undo"), "nothing to undo"),
        (("update", "missing.json"), r"missing\.json"),
        (("diff", "missing.json"), r"missing\.json"),
    ],
)
def test_mistakes_are_told(words, told):
    with pytest.raises(ConfigError, match=told):
        run(*words)


def test_an_installed_table_that_went_bad_is_told(newer, tmp_path, capsys):
    run("update", str(newer))
    (tmp_path / "state" / "prices.json").write_text("{")
    assert run("show", "gpt-5") == 0
    out = capsys.readouterr().out
    assert "! The installed table is not used." in out
    assert "shipped table" in out
