"""The client of a demonstration: sends a body through TokenPak, and asks the provider what it received."""

import json
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from tokenpak.core.patch import Format

PATHS = {
    Format.ANTHROPIC: "/v1/messages?beta=true",
    Format.OPENAI_CHAT: "/v1/chat/completions",
    Format.OPENAI_RESPONSES: "/v1/responses",
}
HEADERS = {
    Format.ANTHROPIC: {"x-api-key": "sk-ant-demo", "anthropic-version": "2023-06-01"},
    Format.OPENAI_CHAT: {"authorization": "Bearer sk-demo"},
    Format.OPENAI_RESPONSES: {"authorization": "Bearer sk-demo"},
}
ENDS = {
    Format.ANTHROPIC: b"event: message_stop",
    Format.OPENAI_CHAT: b"data: [DONE]",
    Format.OPENAI_RESPONSES: b"event: response.completed",
}
"""What a complete stream of each format contains in its last event."""

TIMEOUT_S = 60.0


class ProviderGone(Exception):  # noqa: N818 - named by what is the case
    """The witness is lost; without it nothing can be proved."""


class _Logged(msgspec.Struct):
    seq: int


class Turn(msgspec.Struct, frozen=True):
    """One request: the body as sent, the bodies the provider received for it, and what went wrong, if anything."""

    sent: bytes
    received: tuple[bytes, ...]
    failure: str | None


class Client:
    """Two kept-alive connections: one through TokenPak, one to the provider's control path. A context manager."""

    def __init__(self, service_url: str, provider_url: str) -> None:
        self._service = httpx.Client(base_url=service_url, trust_env=False, timeout=TIMEOUT_S)
        self._provider = httpx.Client(base_url=provider_url, trust_env=False, timeout=TIMEOUT_S)
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.close()
        self._provider.close()

    def turn(self, fmt: Format, body: bytes) -> Turn:
        """Send one body, read the reply to its end, fetch what the provider received."""
        headers = {"content-type": "application/json", "user-agent": "tokenpak-demo", **HEADERS[fmt]}
        failure = None
        try:
            reply = self._service.post(PATHS[fmt], content=body, headers=headers)
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
        else:
            if reply.status_code != 200 or ENDS[fmt] not in reply.content[-100_000:]:
                failure = f"status {reply.status_code}: {reply.text[-200:]!r}"
        received = self._received()
        if failure is None and len(received) != 1:
            failure = f"the provider received {len(received)} requests for one"
        return Turn(body, received, failure)

    def _received(self) -> tuple[bytes, ...]:
        raw = self._asked(f"/__mock/log?after={self._seen}&fields=head")
        numbers = [entry.seq for entry in msgspec.json.decode(raw, type=list[_Logged])]
        self._seen = max([self._seen, *numbers])
        return tuple(self._asked(f"/__mock/bodies/{number}") for number in numbers)

    def _asked(self, path: str) -> bytes:
        try:
            return self._provider.get(path).raise_for_status().content
        except httpx.HTTPError as error:
            raise ProviderGone(f"the embedded provider does not say what it received: {error}") from error


def encoded(body: dict[str, Any]) -> bytes:
    """A body as clients encode it: compact JSON in UTF-8, escaped only where UTF-8 cannot say it."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which some terminals print
        return json.dumps(body, separators=(",", ":")).encode()
