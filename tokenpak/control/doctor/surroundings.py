"""Variables that overrule somebody's settings without a word, and providers that cannot be reached."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

from tokenpak.config.settings import CONFIG_VARIABLE, PREFIX, SETTINGS_VARIABLE, UPSTREAM_PREFIX, Settings
from tokenpak.control.doctor.finding import Finding
from tokenpak.services.upstream import trust

BASE_URLS = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "GOOGLE_GEMINI_BASE_URL",
    "GEMINI_API_BASE",
    "OLLAMA_HOST",
)
"""Variables by which clients choose where they call; they stand above a client's settings file."""
PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
LOCAL = ("127.0.0.1", "localhost", "*")
REACH_S = 5.0


class Reached(NamedTuple):
    """What came of asking a provider: its status, or why there is none."""

    name: str
    url: str
    status: int | None
    trouble: str


def look_at_variables(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Variables of this shell that overrule a client's settings or ours."""
    return [*_of_clients(settings, environ), *_of_proxies(settings, environ), *_ours(environ)]


def look_at_providers(settings: Settings) -> list[Finding]:
    """Ask every upstream whether it is there. Any answer is one: no key is sent, and most say 401 or 404."""
    with ThreadPoolExecutor(8) as pool:
        reached = list(pool.map(lambda pair: _reach(*pair), settings.upstreams.items()))
    findings = []
    for each in reached:
        if each.status is None:
            what = f"{each.name} cannot be reached at {each.url}: {each.trouble}"
            findings.append(
                Finding("provider", "wrong", what, "Look at the network, a firewall, or the upstream's URL")
            )
    return findings


def _of_clients(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in BASE_URLS:
        value = environ.get(name, "")
        if value and not value.startswith(settings.url):
            what = f"{name} is set in this shell and stands above what a client's settings say about where to call"
            yield Finding("variable", "note", what, f"Unset it, if the client is to go through {settings.url}")


def _of_proxies(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    excepted = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    names = [name for name in PROXIES if environ.get(name)]
    if names and not {settings.host, *LOCAL} & {word.strip() for word in excepted.split(",")}:
        what = f"{names[0]} is set and NO_PROXY does not name {settings.host}: clients may ask that proxy for us"
        yield Finding("variable", "wrong", what, f"NO_PROXY={','.join(filter(None, (excepted, settings.host)))}")


def _ours(environ: Mapping[str, str]) -> Iterator[Finding]:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__ if name != "upstreams"} | {
        CONFIG_VARIABLE,
        SETTINGS_VARIABLE,
    }
    for name in sorted(environ):
        if not name.startswith(PREFIX) or not environ[name]:
            continue
        if name in known or name.startswith(UPSTREAM_PREFIX):
            what = f"{name} is set in this shell and overrules the configuration file for what is started from it"
            yield Finding("variable", "note", what, "Write the setting into the file, if it is to hold everywhere")
        else:
            yield Finding("variable", "note", f"{name} is no setting of TokenPak", "Look at the spelling, or unset it")


def _reach(name: str, url: str) -> Reached:
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    try:
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=REACH_S, context=trust())
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=REACH_S)
        )
        try:
            connection.request("HEAD", path)
            return Reached(name, url, connection.getresponse().status, "")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        return Reached(name, url, None, str(error) or type(error).__name__)
