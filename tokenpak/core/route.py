"""Which provider owns a path, and whether its body is one that is read: the whole table, and nothing but the table.

A mount (`/anthropic`, `/openai`, `/google`, `/ollama`, or the name of a configured upstream) always decides. At the root
the path decides, and where several providers share a path, a header that only one provider's API knows. A credential
never decides: the newest Anthropic SDKs send a Bearer token like everybody else. Nothing a client sends names a host;
hosts come from the configuration alone.

Paths are compared as raw bytes and handed on as raw bytes. `//v1/messages`, `/v1/./messages` and `/%761/messages` are
three other paths: what they mean is the provider's business.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec

from tokenpak.core.patch import Format
from tokenpak.core.refusal import Refuse

Kind = Literal["messages", "count_tokens", "chat", "responses", "other"]
"""What is asked. "other" is relayed unread."""

ANTHROPIC, OPENAI, GOOGLE, OLLAMA = "anthropic", "openai", "google", "ollama"

BUILT_IN = frozenset({ANTHROPIC, OPENAI, GOOGLE, OLLAMA})


class Route(msgspec.Struct, frozen=True):
    """Where a request goes. upstream_path: raw, without mount and query; the upstream's base path comes before it."""

    provider: str
    upstream_path: bytes
    format: Format | None
    kind: Kind

    @property
    def model(self) -> str | None:
        """The model that the path names, as Google's do."""
        found = _MODEL.search(self.upstream_path)
        return unquote_to_bytes(found[1]).decode(errors="replace") if found else None


class Rule(msgspec.Struct, frozen=True):
    """One line of the root table. path: beginning of the raw path, or all of it where `whole`; None: any path.

    method, header (lower case): must be there too, where given. example: what typically comes this way.
    """

    provider: str
    example: str
    path: bytes | None = None
    whole: bool = False
    method: str | None = None
    header: bytes | None = None


ROOT_RULES = (
    Rule(ANTHROPIC, "Claude Code looks for the server when it starts", path=b"/", whole=True, method="HEAD"),
    Rule(ANTHROPIC, "`POST /v1/messages?beta=true`, `POST /v1/messages/count_tokens`", path=b"/v1/messages"),
    Rule(ANTHROPIC, "`GET /v1/models` of an Anthropic SDK", header=b"anthropic-version"),
    Rule(GOOGLE, "`POST /v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse`", path=b"/v1beta/"),
    Rule(GOOGLE, "`POST /v1/models/gemini-2.5-pro:generateContent` of a Google SDK", header=b"x-goog-api-key"),
    Rule(OLLAMA, "`POST /api/chat`, `GET /api/tags`", path=b"/api/"),
    Rule(OPENAI, "`POST /v1/chat/completions`, `POST /v1/responses`, `POST /v1/embeddings`", path=b"/v1/"),
)
"""Tried from top to bottom for a path without a mount; the first that fits decides."""

READ: dict[bytes, tuple[Format, Kind]] = {
    b"/v1/messages": (Format.ANTHROPIC, "messages"),
    b"/v1/messages/count_tokens": (Format.ANTHROPIC, "count_tokens"),
    b"/v1/chat/completions": (Format.OPENAI_CHAT, "chat"),
    b"/v1/responses": (Format.OPENAI_RESPONSES, "responses"),
}
"""Bodies that are read and may be edited: these paths exactly, by POST, of any provider but the two below. Behind a mount
`/v1` may be missing, as the base URL of a configured upstream often ends in it.
"""

_MODEL = re.compile(rb"/models/([^/:?]+):")

UNREAD = frozenset({GOOGLE, OLLAMA})
"""Providers none of whose bodies is read: no format here yet, or a window whose size is not known."""


def resolve(
    method: str,
    raw_path: bytes,
    values: Mapping[bytes, bytes],
    mounts: Collection[str] = BUILT_IN,
) -> Route | Refuse:
    """The owner of a path. raw_path: as it stands in the request line, without query. values: first value of each
    header, by lower-case name. mounts: the names of all configured upstreams.
    """
    if not raw_path.startswith((b"/", b"*")):  # "http://host/path" or "host:443": meant for a forward proxy
        return Refuse("forward_proxy", raw_path.decode("latin-1"))
    first, _, rest = raw_path[1:].partition(b"/")
    name = first.decode("latin-1")
    if name in mounts:
        path = b"/" + rest
        return _route(name, method, path, READ.get(path) or READ.get(b"/v1" + path))
    for rule in ROOT_RULES:
        if rule.provider in mounts and _fits(rule, method, raw_path, values):
            return _route(rule.provider, method, raw_path, READ.get(raw_path))
    return Refuse("unknown_path", raw_path.decode("latin-1"))


def table() -> list[tuple[str, str, str]]:
    """The rules in words, for the documentation: what a request looks like, who gets it, an example."""
    mounts = [(f"path begins with `/{name}/`", name, f"`/{name}/…` goes out as `/…`") for name in sorted(BUILT_IN)]
    named = ("path begins with `/<name>/`", "the configured upstream of that name", "`/acme/v1/…` goes out as `/v1/…`")
    return [*mounts, named, *((_words(rule), rule.provider, rule.example) for rule in ROOT_RULES)]


def _fits(rule: Rule, method: str, path: bytes, values: Mapping[bytes, bytes]) -> bool:
    if rule.path is not None and not (path == rule.path if rule.whole else path.startswith(rule.path)):
        return False
    return (rule.method is None or method == rule.method) and (rule.header is None or rule.header in values)


def _route(provider: str, method: str, path: bytes, known: tuple[Format, Kind] | None) -> Route:
    if known is None or method != "POST" or provider in UNREAD:
        return Route(provider, path, None, "other")
    return Route(provider, path, *known)


def _words(rule: Rule) -> str:
    said = []
    if rule.method is not None:
        said.append(f"method is `{rule.method}`")
    if rule.path is not None:
        said.append(f"path {'is' if rule.whole else 'begins with'} `{rule.path.decode()}`")
    if rule.header is not None:
        said.append(f"a header `{rule.header.decode()}` is there")
    return " and ".join(said)
