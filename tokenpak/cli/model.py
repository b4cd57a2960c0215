"""A provider's model, asked with the user's own key.

The key comes from an environment variable that the user names; it is never an argument, never printed, and leaves this
machine only by TLS: plain HTTP is for hosts that are this machine. A refusal is told in the provider's words, with the
key cut out of them should they repeat it.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import msgspec

from tokenpak.core.asking import NoAnswer, answer_in
from tokenpak.core.patch import Format

PATHS = {
    Format.ANTHROPIC: "/v1/messages",
    Format.OPENAI_CHAT: "/v1/chat/completions",
    Format.OPENAI_RESPONSES: "/v1/responses",
}
COUNT_PATHS = {
    Format.ANTHROPIC: "/v1/messages/count_tokens",
    Format.OPENAI_RESPONSES: "/v1/responses/input_tokens",
}
"""Where a request is counted and not answered. OpenAI's count takes what its responses take, so it has none for chat."""
KEY_VARIABLES = {
    Format.ANTHROPIC: "ANTHROPIC_API_KEY",
    Format.OPENAI_CHAT: "OPENAI_API_KEY",
    Format.OPENAI_RESPONSES: "OPENAI_API_KEY",
}
"""Where each provider's own tools look for the key."""

TIMEOUT_S = 180.0
BUSY = frozenset({429, 503, 529})
TRIES = 4
"""How often one question is sent while the provider says that it is busy."""
PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0
WORDS = 300
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


class ModelError(Exception):
    """No answer came: the address is refused here, the provider cannot be reached, or it said no."""


class Model:
    """One provider's model behind one base address. A context manager. Raises ModelError for an unsafe address."""

    def __init__(self, fmt: Format, upstream: str, key: str, pause: Callable[[float], None] = time.sleep) -> None:
        told = urlsplit(upstream)
        if told.scheme not in ("http", "https") or not told.hostname:
            raise ModelError(f"{upstream!r} is no address: write one such as https://api.anthropic.com")
        if told.scheme == "http" and told.hostname not in _THIS_MACHINE:
            raise ModelError("a key is sent over http:// to this machine only; write https://")
        self._format, self._key, self._pause = fmt, key, pause
        self._client = httpx.Client(base_url=upstream.rstrip("/"), trust_env=False, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def answer(self, body: bytes) -> str:
        """The text the model answers a request with, "" where it says nothing. Raises ModelError."""
        try:
            return answer_in(self._format, self._asked(PATHS[self._format], body))
        except NoAnswer as error:
            raise ModelError(str(error)) from error

    def counted(self, body: bytes) -> int:
        """The input tokens of a request by the provider's own count. Raises ModelError, for a format without one, too."""
        if self._format not in COUNT_PATHS:
            raise ModelError(f"no provider counts a request in the format {self._format.value}")
        try:
            return msgspec.json.decode(self._asked(COUNT_PATHS[self._format], body), type=_Count).input_tokens
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ModelError("the provider's answer is no count of tokens") from error

    def _asked(self, path: str, body: bytes) -> bytes:
        """The provider's answer, asked again a few times while it is busy."""
        reply = self._sent(path, body)
        for _ in range(TRIES - 1):
            if reply.status_code not in BUSY:
                break
            self._pause(_pause_of(reply))
            reply = self._sent(path, body)
        if reply.status_code != httpx.codes.OK:
            raise ModelError(f"the provider answered {reply.status_code}: {self._words(reply)}")
        return reply.content

    def _sent(self, path: str, body: bytes) -> httpx.Response:
        try:
            return self._client.post(path, content=body, headers=self._headers())
        except httpx.HTTPError as error:
            raise ModelError(f"the provider cannot be reached: {type(error).__name__}") from error

    def _headers(self) -> dict[str, str]:
        common = {"content-type": "application/json", "user-agent": "tokenpak-verify"}
        if self._format is Format.ANTHROPIC:
            return {**common, "x-api-key": self._key, "anthropic-version": "2023-06-01"}
        return {**common, "authorization": f"Bearer {self._key}"}

    def _words(self, reply: httpx.Response) -> str:
        """What a refusal says, without the key."""
        try:
            told = msgspec.json.decode(reply.content, type=_Refusal).error.message
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = reply.text
        return told.replace(self._key, "(key)")[:WORDS] or "no words"


class _Count(msgspec.Struct):
    input_tokens: int


class _Error(msgspec.Struct):
    message: str


class _Refusal(msgspec.Struct):
    error: _Error


def _pause_of(reply: httpx.Response) -> float:
    """Seconds to wait: as the provider asks, within a bound."""
    asked = reply.headers.get("retry-after", "")
    return min(float(asked), LONGEST_PAUSE_S) if asked.isdecimal() else PAUSE_S
