"""What the formats share: texts, opaque values, tool arguments, and the blocks of a message made from them."""

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from tokenpak.core.body.marks import marks_of
from tokenpak.core.body.model import IMAGE_SIZE, Block, Kind, Memo, Text, Unit, digest_of, shape_of
from tokenpak.core.body.spans import Span, elements, members, string
from tokenpak.core.patch import CHAIN_BYTES

_PICTURES = frozenset({"image", "image_url", "input_image", "document", "file", "input_file", "input_audio"})
_ANY = msgspec.json.Decoder()
_SORTED = msgspec.json.Encoder(order="sorted")

TEXT_TYPES = frozenset({"text", "input_text", "output_text"})


def stable(raw: bytes, span: Span, leave_out: Sequence[str] = ()) -> bytes:
    """A value in one fixed encoding, without the members named: what clients may write differently comes out equal."""
    start, end = span
    try:
        value = _ANY.decode(raw[start:end])
        if leave_out and isinstance(value, dict):
            value = {k: v for k, v in value.items() if k not in leave_out}
        return _SORTED.encode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return raw[start:end]


def opaque(raw: bytes, span: Span, *shape: str | bytes) -> Block:
    """A block nobody touches: known by its value, its cache mark aside."""
    value = stable(raw, span, ("cache_control",))
    return built(Kind.OPAQUE, shape_of("opaque", *shape, value), (), _size(value))


def built(kind: Kind, shape: bytes, texts: tuple[Text, ...], size: int) -> Block:
    """A block without ids from its shape and texts; `size` is that of all but the texts."""
    words = [t.text for t in texts]
    return Block(kind, shape, texts, digest_of(shape, words), size + sum(map(len, words)))


def text_at(raw: bytes, span: Span) -> Text | None:
    """The string at `span` as an editable text, or None."""
    decoded = string(raw, span)
    return None if decoded is None else Text(decoded, span[0] + 1, span[1] - 1)


def text_part(raw: bytes, span: Span) -> Text | None:
    """The text of a part {"type": "text", "text": …} that carries nothing else but a cache mark, or None."""
    return text_among(raw, members(raw, span))


def text_among(raw: bytes, found: dict[str, Span]) -> Text | None:
    """The same, from the part's members."""
    if not found.keys() <= {"type", "text", "cache_control"} or "text" not in found or "type" not in found:
        return None
    return text_at(raw, found["text"]) if string(raw, found["type"]) in TEXT_TYPES else None


def _size(value: bytes) -> int:
    """Characters that stand for an opaque value. Encoded pictures are no text."""
    if len(value) > IMAGE_SIZE and any(f'"type":"{word}"'.encode() in value for word in _PICTURES):
        return IMAGE_SIZE
    return len(value)


def extras(raw: bytes, found: dict[str, Span], known: frozenset[str]) -> bytes:
    """All members but the known ones, in one fixed encoding."""
    if found.keys() <= known:
        return b""
    rest = sorted(key for key in found if key not in known)
    return shape_of(*(part for key in rest for part in (key, stable(raw, found[key]))))


def result(raw: bytes, content: Span | None, call_id: str, *shape: str | bytes) -> Block:
    """A tool result from its content: a string, or parts of which some are texts."""
    texts: list[Text] = []
    pattern: list[str | bytes] = []
    size = 0
    whole = text_at(raw, content) if content else None
    if whole is not None:
        texts, pattern = [whole], ["text"]
    elif content is not None and raw[content[0] : content[0] + 1] == b"[":
        for part in elements(raw, content):
            text = text_part(raw, part) if raw[part[0] : part[0] + 1] == b"{" else None
            value = b"" if text else stable(raw, part, ("cache_control",))
            texts += [text] if text else []
            pattern.append("text" if text else value)
            size += _size(value)
    elif content is not None:
        pattern = ["bare", stable(raw, content)]
    block = built(Kind.RESULT, shape_of("result", call_id, *shape, *pattern), tuple(texts), size)
    return msgspec.structs.replace(block, call_id=call_id)


def call(raw: bytes, span: Span, call_id: str, name: str, arguments: object, *shape: str | bytes) -> Block:
    """A tool call; `arguments` as decoded: an object, or anything else."""
    value = stable(raw, span, ("cache_control",))
    block = built(Kind.CALL, shape_of("call", *shape, value), (), len(value))
    return msgspec.structs.replace(block, call_id=call_id, name=name, arguments=_strings(arguments))


def _strings(arguments: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(arguments, dict):
        return ()
    out: list[tuple[str, str]] = []
    for key, value in sorted(arguments.items()):  # clients reorder keys from turn to turn; names must not follow
        if isinstance(value, str):
            out.append((str(key), value))
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            out.append((str(key), value[-1]))  # ["bash", "-lc", "the command"]
    return tuple(out)


def decoded(raw: bytes, span: Span) -> object:
    """Any value, or None where it cannot be decoded."""
    try:
        return _ANY.decode(raw[span[0] : span[1]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def arguments_in(text: str | None) -> object:
    """Tool arguments that travel as JSON inside a string. Text that is no JSON is one argument, "input"."""
    if text is None:
        return None
    try:
        return _ANY.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {"input": text}


def remembered(
    memo: Memo | None, section: str, raw: bytes, span: Span, parse: Callable[[bytes], Unit]
) -> tuple[bytes, Unit]:
    """The unit at `span` and the key of its bytes, from the memo where they were seen before."""
    piece = raw[span[0] : span[1]]
    key = hashlib.sha256(section.encode() + b":" + piece).digest()[:CHAIN_BYTES]
    unit = memo.get(key) if memo is not None else None
    if unit is None:
        unit = parse(piece)
        if marks := marks_of(piece):
            unit = msgspec.structs.replace(unit, marks=marks)
        if memo is not None:
            memo[key] = unit
    return key, unit


def tool_unit(raw: bytes) -> Unit:
    """A tool definition."""
    value = stable(raw, (0, len(raw)), ("cache_control",))
    return Unit((built(Kind.TOOL, shape_of("tool", value), (), len(value)),))
