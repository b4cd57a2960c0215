"""Replies of the Gemini API, streamed as events or as one array, or whole; also of countTokens.

Each chunk repeats the usage so far, so the last one wins as a whole: where the server ran tools, a later chunk may tell a
prompt that has grown and no candidates any more, and its own total shows that none are meant. The prompt includes the cached part; thoughts are counted beside the candidates,
and tokens that a server's tool put into the prompt beside the prompt, so that the classes add up to `totalTokenCount`.
"""

from typing import Final

import msgspec

from tokenpak.core.replies.reading import Paths, Reading, Usage, count, follow, less, plus

PATHS: Final[Paths] = {
    "prompt": (("promptTokenCount",),),
    "cached": (("cachedContentTokenCount",),),
    "tools": (("toolUsePromptTokenCount",),),
    "candidates": (("candidatesTokenCount",),),
    "thoughts": (("thoughtsTokenCount",),),
}

_FINISH = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION"}
"""Reasons as numbers, as `$alt=json;enum-encoding=int` asks for; only these mean the same in both of Google's APIs."""


class _Said(msgspec.Struct, rename="camel"):
    """A chunk or a document, its large parts unread."""

    model_version: object = None
    usage_metadata: object = None
    error: object = None
    prompt_feedback: object = None
    total_tokens: object = None
    candidates: msgspec.Raw = msgspec.Raw()


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: object = None


_DECODER = msgspec.json.Decoder(_Said)
_CANDIDATES = msgspec.json.Decoder(list[_Candidate] | None)


class Gemini(Reading):
    """Reads generateContent and its like. Words are not watched: this format is not compressed."""

    def event(self, name: bytes, data: bytes) -> None:  # noqa: ARG002 - Gemini's events have no names
        """Read one chunk."""
        self._note(_DECODER.decode(data))

    def document(self, data: bytes) -> None:
        """Read a whole reply, an error, or the answer of countTokens."""
        said = _DECODER.decode(data)
        self._note(said)
        self.finished = True
        if said.usage_metadata is None:
            self.answered = count(said.total_tokens)

    def classes(self) -> Usage:
        """The counts as disjoint classes."""
        known = self.counts
        return Usage(
            uncached=plus(less(known.get("prompt"), known.get("cached")), known.get("tools")),
            cache_read=known.get("cached"),
            output=plus(known.get("candidates"), known.get("thoughts")),
            reasoning=known.get("thoughts"),
        )

    def _note(self, said: _Said) -> None:
        self.note_model(said.model_version)
        if count(follow(said.usage_metadata, ("promptTokenCount",))) is not None:
            self.counts.clear()
        self.take(PATHS, said.usage_metadata)
        self.note_error(said.error)
        if isinstance(said.prompt_feedback, dict):
            self._stop(said.prompt_feedback.get("blockReason"))
        for candidate in (_CANDIDATES.decode(said.candidates) if said.candidates else None) or []:
            self._stop(candidate.finish_reason)

    def _stop(self, reason: object) -> None:
        if isinstance(reason, int):
            reason = _FINISH.get(reason, str(reason))
        if reason:
            self.finished = True
            self.note_stop(reason)
