import re
import stat
from pathlib import Path

import pytest

from tokenpak.config import settings as module
from tokenpak.config.paths import prepare
from tokenpak.config.rules import CLIENTS
from tokenpak.config.settings import ConfigError, Settings, load, read_settings, write_settings
from tokenpak.core.passes import PASSES
from tokenpak.core.patch import Policy
from tokenpak.core.rules import Rule, Terms

RULED = """
passes = ["line-runs"]
cache_marks = false
[[rules]]
client = "codex"
model = "gpt-5*"
level = "off"
[[rules]]
without = ["line-runs"]
floor_tokens = 1
cache_marks = true
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_defaults_are_the_documented_ones():
    settings = load(None, {}, {})
    assert (settings.host, settings.port, settings.workers, settings.drain_s) == ("127.0.0.1", 8766, 2, 15.0)
    assert settings.upstreams["anthropic"] == "https://api.anthropic.com"
    assert settings.url == "http://127.0.0.1:8766"
    assert settings.paths.state == Path(settings.state_dir)


def test_file_then_environment_then_arguments(tmp_path):
    file = written(tmp_path, "port = 1001\nworkers = 3\ndrain_s = 4\n")
    environ = {"TOKENPAK_PORT": "1002", "TOKENPAK_WORKERS": "4"}
    settings = load(file, environ, {"port": 1003})
    assert (settings.port, settings.workers, settings.drain_s) == (1003, 4, 4.0)


def test_upstreams_are_merged_by_name(tmp_path):
    file = written(tmp_path, '[upstreams]\nopenai = "http://one:1"\nlab = "http://lab:2/base/"\n')
    settings = load(file, {"TOKENPAK_UPSTREAM_OPENAI": "http://two:2"}, {"upstreams": {"google": "http://three:3"}})
    assert settings.upstreams == {
        "anthropic": "https://api.anthropic.com",
        "openai": "http://two:2",
        "google": "http://three:3",
        "ollama": "http://127.0.0.1:11434",
        "lab": "http://lab:2/base",
    }


def test_empty_and_unrelated_variables_are_no_settings():
    assert load(None, {"TOKENPAK_PORT": "", "TOKENPAK_LAUNCHER_PID": "7", "PORT": "9"}, {}).port == 8766


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", ["config.toml", "'prot'", "'port'"]),
        ("colour = 1", ["'colour'", "Known: "]),
        ("port = 70000", ["config.toml", "port", "65535"]),
        ('port = "8766"', ["config.toml", "port"]),
        ("port = ", ["config.toml", "Mend"]),
        ('level = "max"', ['level = \'max\': must be one of "off", "lossless". Correct the value or remove the key.']),
        ("workers = true", ["workers = true: must be a whole number from 1 to 64"]),
        ("keep_bytes = 1", ["keep_bytes = 1: must be a whole number of at least 16777216"]),
        ('drain_s = "soon"', ["drain_s = 'soon': must be a number from 0 to 86400"]),
        ("host = 1", ["host = 1: must be a text"]),
        ('response_cache = "x"', ["response_cache must be a table", "[response_cache]"]),
        (
            "[response_cache]\nmax_byte = 2097152",
            ["response_cache: unknown key 'max_byte'", "Did you mean 'max_bytes'"],
        ),
        ("[response_cache]\nmax_age_s = 0", ["response_cache: max_age_s = 0: must be a whole number of at least 1"]),
        ("upstreams = 3", ["upstreams"]),
        ('[upstreams]\nopenai = "ftp://x"', ["openai", "HTTP base URL"]),
        ('[upstreams]\nopenai = "http://x:bad"', ["openai", "bad"]),
        ('[upstreams]\n"a/b" = "http://x"', ["'a/b'"]),
        ('[upstreams]\nlab = "http://127.0.0.1:8766"', ["lab", "call itself"]),
        ('passes = ["line-run"]', ["config.toml: passes", "'line-run'", "'line-runs'"]),
        ('without = ["zzz"]', ["config.toml: without", "'zzz'", "Known: ", "line-runs"]),
        ('passes = "line-runs"', ["config.toml: passes", "must be a list of texts"]),
        ("rules = 1", ["config.toml: rules", "[[rules]]"]),
        ('[[rules]]\nlevel = "off"\n[[rules]]\nmodle = "x"', ["config.toml: rules: rule 2", "'modle'", "'model'"]),
        ('rules = "[]"', ["config.toml: rules", "[[rules]]"]),
        ("cache_marks = 1", ["config.toml: cache_marks = 1: must be true or false"]),
        (
            "requests_per_client = 0",
            ["config.toml: requests_per_client = 0: must be a whole number from 1 to 100000. Correct"],
        ),
        ('[tokens]\nlaptop = "x"', ["config.toml: tokens", "laptop", "sha256:"]),
    ],
)
def test_errors_name_file_key_and_remedy(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), {}, {})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TOKENPAK_PORT", "abc", "TOKENPAK_PORT = 'abc': must be a whole number from 0 to 65535."),
        ("TOKENPAK_LEVEL", "lossy", 'TOKENPAK_LEVEL = \'lossy\': must be one of "off", "lossless".'),
        ("TOKENPAK_CACHE_MARKS", "perhaps", "TOKENPAK_CACHE_MARKS = 'perhaps': must be true or false."),
    ],
)
def test_a_variable_is_named_and_is_to_be_unset(name, value, words):
    with pytest.raises(ConfigError) as caught:
        load(None, {name: value}, {})
    assert str(caught.value) == f"environment: {words} Correct the value or unset it."


def test_the_variable_of_an_upstream_is_named():
    with pytest.raises(ConfigError, match=r"^environment: TOKENPAK_UPSTREAM_OPENAI: upstream openai = 'ftp://x'"):
        load(None, {"TOKENPAK_UPSTREAM_OPENAI": "ftp://x"}, {})


def test_an_option_is_to_be_left_out():
    with pytest.raises(ConfigError, match="Correct the value or leave the option out"):
        load(None, {}, {"port": 70000})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TOKENPAK_LEVLE", "TOKENPAK_LEVEL"),
        ("TOKENPAK_BUDGET", "TOKENPAK_BUDGETS"),
        ("TOKENPAK_CONFG", "TOKENPAK_CONFIG"),
        ("TOKENPAK_UPSTREAMS", "TOKENPAK_UPSTREAM_<NAME>"),
        ("TOKENPAK_UPSTREAMS_OPENAI", "TOKENPAK_UPSTREAM_<NAME>"),
    ],
)
def test_a_variable_with_a_slip_is_refused(name, meant):
    with pytest.raises(ConfigError, match=f"unknown variable {name}. Did you mean {meant}"):
        load(None, {name: "off"}, {})
    assert load(None, {name: ""}, {}).level == "lossless"


USED = re.compile(r"\bTOKENPAK_[A-Z][A-Z_]*[A-Z]\b")


def test_no_variable_that_is_used_anywhere_here_is_taken_for_a_slip():
    """Launcher, slots, tests and benches have theirs under the same prefix."""
    root = Path(__file__).parents[2]
    files = [file for room in ("tokenpak", "tests", "docs", "deploy") for file in (root / room).rglob("*")]
    texts = (file.read_text() for file in files if file.suffix in {".py", ".md", ".sh"} and file != Path(__file__))
    found = {name for text in texts for name in USED.findall(text)}
    assert {"TOKENPAK_SLOT", "TOKENPAK_LAUNCHER_PID", "TOKENPAK_SHARED", "TOKENPAK_SETTINGS"} <= found
    slips = {"TOKENPAK_LEVLE", "TOKENPAK_PROT", "TOKENPAK_UPSTREAM"}  # examples of some
    module._refuse_slips(found - slips)


def test_rules_and_passes_of_a_file(tmp_path):
    settings = load(written(tmp_path, RULED), {}, {})
    assert (settings.passes, settings.without, settings.cache_marks) == (("line-runs",), (), False)
    assert settings.rules == (
        Rule(client="codex", model="gpt-5*", level="off"),
        Rule(without=("line-runs",), floor_tokens=1, cache_marks=True),
    )


def test_rules_and_passes_of_the_environment_take_the_place_of_the_files(tmp_path):
    environ = {
        "TOKENPAK_PASSES": " line-runs , ",
        "TOKENPAK_WITHOUT": "line-runs",
        "TOKENPAK_CACHE_MARKS": "true",
        "TOKENPAK_RULES": '[{client = "cline", level = "off"}]',
    }
    settings = load(written(tmp_path, RULED), environ, {})
    assert (settings.passes, settings.without, settings.cache_marks) == (("line-runs",), ("line-runs",), True)
    assert settings.rules == (Rule(client="cline", level="off"),)
    assert load(written(tmp_path, RULED), {"TOKENPAK_RULES": "[]"}, {}).rules == ()


@pytest.mark.parametrize("text", ["[", "x", '[{client = "cline"}]', "7"])
def test_rules_of_the_environment_that_cannot_be_used(text):
    with pytest.raises(ConfigError, match=r"^environment: TOKENPAK_RULES: "):
        load(None, {"TOKENPAK_RULES": text}, {})


def test_the_bounds_of_kept_answers(tmp_path):
    settings = load(written(tmp_path, "[response_cache]\nmax_bytes = 2097152\nmax_age_s = 60"), {}, {})
    assert (settings.response_cache.max_bytes, settings.response_cache.max_age_s) == (2097152, 60)
    environ = {"TOKENPAK_RESPONSE_CACHE": "{max_entry_bytes = 4096}"}
    assert load(None, environ, {}).response_cache.max_entry_bytes == 4096
    for wrong in ("max_bytes = 1", "max_byte = 2097152", "max_age_s = 0"):
        with pytest.raises(ConfigError, match="response_cache"):
            load(written(tmp_path, f"[response_cache]\n{wrong}"), {}, {})


def test_the_terms_where_no_rule_says_otherwise():
    assert load(None, {}, {}).terms == Terms()
    changed = load(None, {}, {"level": "off", "passes": [], "floor_tokens": 3, "cache_marks": False})
    assert changed.terms == Terms(Policy("off", (), 3), cache_marks=False)
    assert "line-runs" not in load(None, {}, {"without": ["line-runs"]}).terms.policy.passes


def test_every_pass_is_on_by_default():
    assert load(None, {}, {}).terms.policy.passes == PASSES


def test_a_credential_in_an_upstream_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(ConfigError, match="user or password") as caught:
        load(written(tmp_path, '[upstreams]\nopenai = "https://user:hunter2@x"'), {}, {})
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml.*--config"):
        load(tmp_path / "none.toml", {}, {})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.com", ""])  # noqa: S104 the refused value
def test_only_this_machine_is_served(host):
    with pytest.raises(ConfigError, match="not a loopback address"):
        load(None, {}, {"host": host})


def test_loopback_names():
    assert load(None, {}, {"host": "localhost"}).host == "127.0.0.1"
    assert load(None, {}, {"host": "127.0.0.9"}).host == "127.0.0.9"
    with pytest.raises(ConfigError, match="IPv4 only"):
        load(None, {}, {"host": "::1"})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.com", "127.0.0.1.nip.io", ""])  # noqa: S104
def test_no_other_address_is_listened_on_and_the_reason_is_told(host, tmp_path):
    """Not with a token either: without TLS the provider's keys would be read on the way."""
    with pytest.raises(ConfigError, match="no TLS") as caught:
        load(written(tmp_path, f'[tokens]\na = "sha256:{"0" * 64}"\n'), {}, {"host": host})
    assert "127.0.0.1" in str(caught.value)


def test_settings_reach_child_processes_privately(tmp_path):
    settings = load(written(tmp_path, RULED), {}, {"state_dir": str(tmp_path), "port": 5})
    prepare(settings.paths)
    write_settings(settings)
    assert stat.S_IMODE(settings.paths.settings_file.stat().st_mode) == 0o600
    assert read_settings({"TOKENPAK_SETTINGS": str(settings.paths.settings_file)}) == settings


@pytest.mark.parametrize("content", [None, b"{", b'{"port": "x"}'])
def test_a_child_without_settings_says_so(tmp_path, content):
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="tokenpak serve"):
        read_settings({"TOKENPAK_SETTINGS": str(file)})
    with pytest.raises(ConfigError, match="tokenpak serve"):
        read_settings({})


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings(state_dir="/x").port = 3  # type: ignore[misc]


PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def test_the_pages_example_is_a_configuration(tmp_path):
    common, rules, prices = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert load(written(tmp_path, common), {}, {}).keep_days == 30
    settings = load(written(tmp_path, rules), {}, {})
    assert [rule.client for rule in settings.rules] == ["aider", None, "codex"]
    assert list(load(written(tmp_path, prices), {}, {}).prices) == ["claude-opus-4-6", "ollama/qwen3", "my-model"]


def test_the_page_names_the_clients():
    told = re.search(r"<!-- clients -->(.*)<!-- end -->", PAGE, re.DOTALL)
    assert told
    assert tuple(re.findall(r"`([^`]+)`", told[1])) == CLIENTS
