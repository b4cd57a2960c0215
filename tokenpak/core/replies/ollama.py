"""Replies of Ollama's own API: an object a line, the last one with `done` and the counts; or that object alone.

A prompt that was still in memory is not counted by some versions: then `prompt_eval_count` is missing, and stays so.
"""

from typing import Final

import msgspec

from tokenpak.core.replies.reading import Paths, Reading, Usage

PATHS: Final[Paths] = {"prompt": (("prompt_eval_count",),), "output": (("eval_count",),)}

_DONE, _NOT_DONE, _ERROR = b'"done"', b'"done":false', b'"error"'


class _Said(msgspec.Struct):
    model: object = None
    done: object = None
    done_reason: object = None
    error: object = None
    prompt_eval_count: object = None
    eval_count: object = None


_DECODER = msgspec.json.Decoder(_Said)


class Ollama(Reading):
    """Reads chat, generate and embed. Words are not watched: this format is not compressed."""

    def event(self, name: bytes, data: bytes) -> None:  # noqa: ARG002 - lines have no names
        """Read one line; those in mid-reply only until the model is known."""
        if self.model is None or data.count(_DONE) != data.count(_NOT_DONE) or _ERROR in data:
            self.document(data)

    def document(self, data: bytes) -> None:
        """Read a line, or a whole reply."""
        said = _DECODER.decode(data)
        self.note_model(said.model)
        self.note_error(said.error)
        self.take(PATHS, msgspec.structs.asdict(said))
        if said.done is True:
            self.finished = True
            self.note_stop(said.done_reason)

    def classes(self) -> Usage:
        """The counts as disjoint classes."""
        return Usage(uncached=self.counts.get("prompt"), output=self.counts.get("output"))
