"""Replies of the OpenAI APIs and of the many hosts that imitate them: chat, responses, embeddings, streamed or not.

Totals are inclusive here: cached and cache-writing tokens lie inside the prompt, reasoning inside the output. The
difficulty is the imitators. Some put the cached count elsewhere, some report reasoning beside the output (their own
total shows it), some never send [DONE] or send usage with every chunk, and errors arrive as events under status 200.
A stream has an event for every few characters, so events are decoded only if their bytes can hold something new.

Whether a chat tells usage is the client's choice (`stream_options`), which is never changed here. So the size of the
words is taken while nothing else is told, for an estimate. A chunk that says `"usage": null` promises usage at the end:
a chat that stopped without it was cut.
"""

from collections.abc import Hashable, Iterator
from typing import Final

import msgspec

from tokenpak.core.echo import SAYS, Watch
from tokenpak.core.replies.reading import Paths, Reading, Usage, count, follow, less, strings

PATHS: Final[Paths] = {
    "prompt": (("prompt_tokens",), ("input_tokens",)),
    "cached": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("cached_tokens",),
        ("prompt_cache_hit_tokens",),
    ),
    "written": (
        ("prompt_tokens_details", "cache_write_tokens"),
        ("input_tokens_details", "cache_write_tokens"),
    ),
    "output": (("completion_tokens",), ("output_tokens",)),
    "reasoning": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    ),
    "total": (("total_tokens",),),
}

DONE = b"[DONE]"
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_END_NAMES = frozenset(name.encode() for name in _ENDS)
_RUNNING = frozenset({"in_progress", "queued"})
_ITEM_DONE = b"response.output_item.done"
_DELTA = b".delta"
_SOUND = ".audio.delta"
_USAGE = b'"usage"'
_UNHEARD = "reasoning"
"""In the type of every event and item that holds reasoning; it is not watched, as it reaches no file and no user."""

_NULLABLE = tuple((b'"%s"' % key, b'"%s":null' % key) for key in (b"usage", b"finish_reason", b"error"))
"""Members that tell something unless they are null; many hosts send them with every chunk."""


class _Said(msgspec.Struct):
    """A chunk, an event, a response or a document, its large parts unread."""

    type: object = None
    kind: object = msgspec.field(default=None, name="object")
    status: object = None
    model: object = None
    usage: object = None
    error: object = None
    code: object = None
    delta: object = None
    output_index: object = None
    content_index: object = None
    incomplete_details: object = None
    input_tokens: object = None
    tool_usage: object = None
    x_groq: object = None
    choices: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()
    item: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


class _Choice(msgspec.Struct):
    index: object = None
    finish_reason: object = None
    usage: object = None
    delta: object = None
    text: object = None
    message: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(_Said)
_CHOICES = msgspec.json.Decoder(list[_Choice] | None)


class OpenAI(Reading):
    """Reads chat completions, responses, and what else reports usage in their way."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch)
        self._promised = self._stopped = False

    def event(self, name: bytes, data: bytes) -> None:
        """Read one event: a chunk of a chat, or a typed event of a response."""
        if data == DONE:
            self.finished = True
            return
        watched = self.watch.wants and _speaks(name, data)
        measured = not self.counts and (not name or name.endswith(_DELTA))
        if not (watched or measured or self.model is None or name in _END_NAMES or _tells(data)):
            return
        said = _DECODER.decode(data)
        self._note(said)
        for choice in self._choices(said):
            if watched:
                self._hear_message(_place(choice.index), choice.delta)
            self._measure(choice.delta, choice.text)
        if said.response:
            self._note(_DECODER.decode(said.response))
        self._measure_event(said)
        self._promised = self._promised or (bool(said.choices) and said.usage is None and _USAGE in data)
        complete = self._stopped and (bool(self.counts) or not self._promised)
        self.finished = self.finished or said.type in _ENDS or complete
        if watched:
            self._hear_event(said)

    def document(self, data: bytes) -> None:
        """Read a whole reply, an error, or the answer to a question for a count."""
        said = _DECODER.decode(data)
        self._note(said)
        self.finished = True
        if said.kind == "response.input_tokens":
            self.answered = count(said.input_tokens)
        watched = self.watch.wants and SAYS in data
        for choice in self._choices(said):
            message = msgspec.json.decode(choice.message) if choice.message and (watched or not self.counts) else None
            if watched:
                self._hear_message(_place(choice.index), message)
            self._measure(message, choice.text)
        items = msgspec.json.decode(said.output) if said.output and (watched or not self.counts) else None
        for at, item in enumerate(items if isinstance(items, list) else []):
            if watched:
                self._hear_item(at, item)
            self._measure(item)

    def classes(self) -> Usage:
        """The counts as disjoint classes."""
        known = self.counts
        prompt, output, reasoning = known.get("prompt"), known.get("output"), known.get("reasoning")
        if prompt is not None and output is not None and reasoning:
            beside = known.get("total") == prompt + output + reasoning
            output += reasoning if beside else 0
        return Usage(
            uncached=less(prompt, known.get("cached"), known.get("written")),
            cache_read=known.get("cached"),
            cache_write_other=known.get("written"),
            output=output,
            reasoning=reasoning,
        )

    def _note(self, said: _Said) -> None:
        self.note_model(said.model)
        self.take(PATHS, follow(said.x_groq, ("usage",)))
        self.take(PATHS, said.usage)
        self.note_searches(follow(said.tool_usage, ("web_search", "num_requests")))
        if said.error:
            self.note_error(said.error)
        elif said.type == "error":
            self.note_error({"code": said.code})
        if said.kind == "response" and said.status not in _RUNNING:
            self.note_stop(said.status)
            self.note_stop(follow(said.incomplete_details, ("reason",)))

    def _choices(self, said: _Said) -> list[_Choice]:
        choices = (_CHOICES.decode(said.choices) if said.choices else None) or []
        for choice in choices:
            self.take(PATHS, choice.usage)
            self.note_stop(choice.finish_reason)
            self._stopped = self._stopped or bool(choice.finish_reason)
        return choices

    def _measure(self, message: object, text: object = None) -> None:
        """Take the size of a message's words, or of a delta's; `text` stands there in completions of the old kind."""
        if not self.counts:
            words = [text] if isinstance(text, str) else _words(message)
            self.word_bytes += sum(len(part.encode(errors="replace")) for part in words)

    def _measure_event(self, said: _Said) -> None:
        if isinstance(said.type, str) and said.type.endswith(".delta") and not said.type.endswith(_SOUND):
            self._measure(None, said.delta)

    def _hear_message(self, at: int, message: object) -> None:
        """The words of a message or a delta: its content, and the arguments of its calls."""
        content = follow(message, ("content",))
        for part in content if isinstance(content, list) else [content]:
            self._hear((at, "content"), follow(part, ("text",)) if isinstance(part, dict) else part)
        self._hear_json((at, "function_call"), follow(message, ("function_call", "arguments")))
        calls = follow(message, ("tool_calls",))
        for place, call in enumerate(calls if isinstance(calls, list) else []):
            index = follow(call, ("index",))
            block = (at, index if isinstance(index, int) else place)
            self._hear_json(block, follow(call, ("function", "arguments")))
            self._hear(block, follow(call, ("custom", "input")))

    def _hear_event(self, said: _Said) -> None:
        if not isinstance(said.type, str) or _UNHEARD in said.type:
            return
        if said.type.endswith("arguments.delta"):
            self._hear_json((_place(said.output_index), "arguments"), said.delta)
        elif said.type.endswith(".delta"):
            self._hear((_place(said.output_index), _place(said.content_index)), said.delta)
        elif said.item:
            self._hear_item("item", msgspec.json.decode(said.item))

    def _hear_item(self, block: Hashable, item: object) -> None:
        """A whole item of a response; of reasoning nothing is watched."""
        if not isinstance(item, dict) or _UNHEARD in str(item.get("type")):
            return
        for key, member in item.items():
            (self._hear_json if key == "arguments" else self._hear)((block, key), member)

    def _hear(self, block: Hashable, words: object) -> None:
        for text in strings(words):
            self.watch.said(block, text)

    def _hear_json(self, block: Hashable, words: object) -> None:
        """Arguments are a JSON text; some hosts send them as the object itself."""
        if isinstance(words, str):
            self.watch.argued(block, words)
        else:
            self._hear(block, words)


def _tells(data: bytes) -> bool:
    """Whether an event holds usage, the reason of an end, or an error, that is not null."""
    return any(key in data and data.count(key) != data.count(null) for key, null in _NULLABLE)


def _words(message: object) -> Iterator[str]:
    """What a model is paid for by the word, of a message, a delta or an item: content, reasoning, calls."""
    if not isinstance(message, dict):
        return
    reasoning = message.get("reasoning_content") or message.get("reasoning")  # hosts that send both repeat themselves
    for member in (message.get("content"), message.get("refusal"), reasoning):
        for part in member if isinstance(member, list) else [member]:
            words = follow(part, ("text",)) if isinstance(part, dict) else part
            if isinstance(words, str):
                yield words
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        yield from strings([follow(call, ("function",)), follow(call, ("custom",))])
    yield from strings([message.get("function_call"), message.get("arguments"), message.get("input")])


def _speaks(name: bytes, data: bytes) -> bool:
    """Whether an event may hold words of the model. An item that is done repeats them; a call of a shell says them there only."""
    return not name or name.endswith(b".delta") or (name == _ITEM_DONE and SAYS in data)


def _place(value: object) -> int:
    return value if isinstance(value, int) else -1
