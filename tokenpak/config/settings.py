"""The settings of one instance: defaults, then the TOML file, then TOKENPAK_* variables, then arguments; frozen after that.

Every value is converted and checked beside the place it came from, so an error can name the file, the key and the
remedy. Child processes never read the file or the variables again: the launcher writes the outcome once
(`write_settings`) and hands its path down in TOKENPAK_SETTINGS, so all processes of an instance agree.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tokenpak.config import budgets, keys, prices, redaction, response_cache, rules, tokens, whole_file
from tokenpak.config.demands import demand, shown
from tokenpak.config.keys import MIB
from tokenpak.config.paths import Paths, default_state_dir, paths_for
from tokenpak.core.patch import FLOOR_TOKENS
from tokenpak.core.recall import Bounds
from tokenpak.core.redaction_terms import Policy
from tokenpak.core.rules import Rule, Terms, refined

PREFIX = "TOKENPAK_"
UPSTREAM_PREFIX = "TOKENPAK_UPSTREAM_"
SETTINGS_VARIABLE = "TOKENPAK_SETTINGS"
"""Names the file a child process reads its settings from."""
CONFIG_VARIABLE = "TOKENPAK_CONFIG"
"""Names the configuration file where no option does."""

DEFAULT_UPSTREAMS = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com",
    "google": "https://generativelanguage.googleapis.com",
    "ollama": "http://127.0.0.1:11434",
}

_UPSTREAM_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class ConfigError(Exception):
    """A setting that cannot be used; the message says where it stands, which key, and what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance runs with; `keys` says what each may hold and what it does. Times are seconds (`_s`), sizes are bytes
    (`_bytes`). Where None stands for something: passes, all that the version knows which reads it; requests_per_client and
    requests_per_session, any number.
    """

    state_dir: keys.StateDir
    host: keys.Host = "127.0.0.1"
    port: keys.Port = 8766
    upstreams: keys.Upstreams = msgspec.field(default_factory=lambda: dict(DEFAULT_UPSTREAMS))
    workers: keys.Workers = 2
    drain_s: keys.Drain = 15.0
    level: keys.Level = "lossless"
    passes: keys.Passes = None
    without: keys.Without = ()
    floor_tokens: keys.Floor = FLOOR_TOKENS
    cache_marks: keys.CacheMarks = True
    rules: keys.Rules = ()
    prices: keys.Prices = {}
    budgets: keys.Budgets = ()
    redaction: keys.Redaction = Policy()
    response_cache: keys.ResponseCache = Bounds()
    requests_per_client: keys.RequestsPerClient = None
    requests_per_session: keys.RequestsPerSession = None
    tokens: keys.Tokens = {}
    read_cap_bytes: keys.ReadCap = 64 * MIB
    connect_timeout_s: keys.ConnectTimeout = 10.0
    read_timeout_s: keys.ReadTimeout = 900.0
    keep_alive_s: keys.KeepAlive = 130.0
    header_limit_bytes: keys.HeaderLimit = 65536
    job_base_s: keys.JobBase = 0.25
    job_per_mb_s: keys.JobPerMegabyte = 0.5
    plan_memory_bytes: keys.PlanMemory = 64 * MIB
    keep_days: keys.KeepDays = 180
    keep_bytes: keys.KeepBytes = 1024 * MIB

    @property
    def paths(self) -> Paths:
        return paths_for(Path(self.state_dir))

    @property
    def terms(self) -> Terms:
        """What a request is compressed on where no rule says otherwise."""
        base = Rule(
            level=self.level,
            passes=self.passes,
            without=self.without,
            floor_tokens=self.floor_tokens,
            cache_marks=self.cache_marks,
        )
        return refined(Terms(), base)

    @property
    def url(self) -> str:
        """What a client is pointed at."""
        return f"http://{self.host}:{self.port}"


_OF_PASSES = frozenset({"passes", "without"})
IN_TOML = {
    "rules": '[{client = "codex", level = "off"}]',
    "prices": '{"my-model" = {input = 0.5, output = 1.5}}',
    "budgets": '[{name = "day", block = 5}]',
    "redaction": '{secrets = "redact"}',
    "response_cache": "{max_bytes = 134217728}",
    "tokens": f'{{laptop = "sha256:{"0123456789abcdef" * 4}"}}',
}
"""Settings whose variable holds TOML, with an example."""
_READERS: Mapping[str, Callable[[object], object]] = {
    "rules": rules.rules_in,
    "prices": prices.overrides_in,
    "budgets": budgets.budgets_in,
    "redaction": redaction.redaction_in,
    "response_cache": response_cache.bounds_in,
    "tokens": tokens.tokens_in,
}
"""How what is written in tables becomes a setting."""
_FIELDS = {field.name: field.type for field in msgspec.structs.fields(Settings)}
_VARIABLES = (*(PREFIX + name.upper() for name in _FIELDS if name != "upstreams"), CONFIG_VARIABLE, SETTINGS_VARIABLE)
_ENVIRONMENT, _ARGUMENTS = "environment", "arguments"
_REMEDIES = {_ENVIRONMENT: "unset it", _ARGUMENTS: "leave the option out"}
_SLIP = 0.75
"""How much alike a variable and one of ours must be (difflib) for it to be a slip: swapped or missing letters are. The prefix
also carries what is not for us (of a launcher, of tests, of containers), and that must start nothing and stop nothing."""


def load(config_file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Settings:
    """Settle every setting; `overrides` are arguments by field name. Raises ConfigError. Reads `config_file` only."""
    values: dict[str, object] = {}
    upstreams = dict(DEFAULT_UPSTREAMS)
    for where, layer in (
        (str(config_file), _file_layer(config_file)),
        (_ENVIRONMENT, _environment_layer(environ)),
        (_ARGUMENTS, overrides),
    ):
        for key, value in layer.items():
            if key == "upstreams":
                upstreams.update(_upstreams(where, value))
            else:
                values[key] = _converted(where, key, value)
    state = values.get("state_dir") or str(default_state_dir())
    values["state_dir"] = str(paths_for(Path(str(state))).state)
    return _checked(Settings(**{**values, "upstreams": upstreams}))  # type: ignore[arg-type]


def write_settings(settings: Settings) -> None:
    """Put the settings where child processes read them; readable by the user alone, replaced in one step."""
    whole_file.put(settings.paths.settings_file, msgspec.json.encode(settings))


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings a child process was started with. Raises ConfigError when the launcher's file is missing or torn."""
    name = environ.get(SETTINGS_VARIABLE)
    if not name:
        raise ConfigError(f"{SETTINGS_VARIABLE} is not set: this process is started by `tokenpak serve`, not by hand.")
    try:
        return msgspec.json.decode(Path(name).read_bytes(), type=Settings)
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}. Start the service again with `tokenpak serve`.") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{name}: {error}. Start the service again with `tokenpak serve`.") from error


def _file_layer(config_file: Path | None) -> Mapping[str, object]:
    if config_file is None:
        return {}
    try:
        return tomllib.loads(config_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{config_file}: {error.strerror}. Put the file there, or start TokenPak with another --config."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config_file}: {error}. Mend the file; it must be TOML in UTF-8.") from error


def _environment_layer(environ: Mapping[str, str]) -> Mapping[str, object]:
    """Known TOKENPAK_* variables only, and a refusal of what was meant to be one. An empty value is no value."""
    _refuse_slips(name for name, value in environ.items() if value)
    layer: dict[str, object] = {}
    for name in _FIELDS:
        value = environ.get(PREFIX + name.upper(), "")
        if value and name != "upstreams":
            layer[name] = value
    named = {
        key.removeprefix(UPSTREAM_PREFIX).lower(): value
        for key, value in environ.items()
        if key.startswith(UPSTREAM_PREFIX) and value
    }
    return {**layer, "upstreams": named} if named else layer


def _refuse_slips(names: Iterable[str]) -> None:
    for name in names:
        if not name.startswith(PREFIX) or name in _VARIABLES or name.startswith(UPSTREAM_PREFIX):
            continue
        known = {each.removeprefix(PREFIX): each for each in _VARIABLES}
        near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=_SLIP)
        meant = f"{UPSTREAM_PREFIX}<NAME>" if name.startswith(UPSTREAM_PREFIX[:-1]) else near and known[near[0]]
        if meant:
            raise ConfigError(f"environment: unknown variable {name}. Did you mean {meant}? If not, unset it.")


def _converted(where: str, key: str, value: object) -> object:
    if key not in _FIELDS:
        raise ConfigError(f"{where}: unknown key {key!r}. {rules.meant(key, sorted(_FIELDS))}")
    # A variable is text and may stand for a number, a list or a table; in the file each must be one.
    place = f"{where}: {PREFIX}{key.upper()}" if where == _ENVIRONMENT else f"{where}: {key}"
    written = value
    if where == _ENVIRONMENT and isinstance(value, str):
        value = _read_text(place, key, value)
    try:
        if key in _READERS:
            return _READERS[key](value)
        if key in _OF_PASSES:
            return rules.passes_in(msgspec.convert(value, tuple[str, ...]))
        return msgspec.convert(value, _FIELDS[key], strict=where != _ENVIRONMENT)
    except rules.Unusable as error:
        raise ConfigError(f"{place}: {error}") from error
    except msgspec.ValidationError as error:
        remedy = _REMEDIES.get(where, "remove the key")
        wanted = demand(_FIELDS[key])
        raise ConfigError(f"{place} = {shown(written)}: must be {wanted}. Correct the value or {remedy}.") from error


def _read_text(place: str, key: str, text: str) -> object:
    """What a variable's text stands for where the setting is no single value: words between commas, or TOML."""
    if key in _OF_PASSES:
        return [word.strip() for word in text.split(",") if word.strip()]
    if key not in IN_TOML:
        return text
    try:
        return tomllib.loads(f"{key} = {text}")[key]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place}: {error}. Write {IN_TOML[key]}.") from error


def _upstreams(where: str, value: object) -> dict[str, str]:
    try:
        named = msgspec.convert(value, dict[str, str])
    except msgspec.ValidationError as error:
        raise ConfigError(
            f'{where}: upstreams: must be a table of texts. Write one line per provider: name = "https://host".'
        ) from error
    return {
        name: _base_url(f"{where}: {UPSTREAM_PREFIX}{name.upper()}" if where == _ENVIRONMENT else where, name, url)
        for name, url in named.items()
    }


def _base_url(where: str, name: str, url: str) -> str:
    """A base URL without its trailing slash. Credentials in it are refused: they would reach logs and process lists."""
    advice = "Give a base URL such as https://api.example.com, without user, query or fragment."
    if not _UPSTREAM_NAME.fullmatch(name):
        raise ConfigError(f"{where}: upstream name {name!r} must match {_UPSTREAM_NAME.pattern}, as it names a path.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{where}: upstream {name}: {error}. {advice}") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{where}: upstream {name}: the URL carries a user or password. {advice}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or port == 0:
        raise ConfigError(f"{where}: upstream {name} = {url!r} is not an HTTP base URL. {advice}")
    return url.rstrip("/")


def _checked(settings: Settings) -> Settings:
    settings = msgspec.structs.replace(settings, host=_loopback(settings.host))
    for name, url in settings.upstreams.items():
        parts = urlsplit(url)
        default = 443 if parts.scheme == "https" else 80
        if (parts.port or default) == settings.port and _is_loopback(parts.hostname or ""):
            raise ConfigError(
                f"upstream {name} = {url!r} is this proxy's own port {settings.port}: it would call itself."
            )
    return settings


def _loopback(host: str) -> str:
    """The IPv4 loopback address of `host`, or a refusal: whoever reaches the port can spend the user's credentials."""
    if host == "localhost":
        return "127.0.0.1"
    if _is_loopback(host) and ":" not in host:
        return host
    if _is_loopback(host):
        raise ConfigError(f"host = {host!r}: supervisord opens the port and knows IPv4 only. Use 127.0.0.1.")
    raise ConfigError(
        f"host = {host!r} is not a loopback address: your provider credentials would cross the network unencrypted, as "
        "TokenPak speaks no TLS, and no token makes up for that. TokenPak serves this machine only. Use 127.0.0.1, and "
        "from elsewhere a tunnel that ends on this machine, such as ssh -L."
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
