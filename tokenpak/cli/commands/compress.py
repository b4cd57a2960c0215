"""`tokenpak compress`: the edits a request body would get, from the body alone."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from tokenpak.core.body import Unreadable, read
from tokenpak.core.patch import Format, Job, Patch, Policy
from tokenpak.core.splice import apply_edits
from tokenpak.services.compress import Compressor

FormatName = Literal["anthropic", "openai", "responses"]


def compress(
    body: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    *,
    format: FormatName | None = None,  # noqa: A002 - the word of the option
    json: Annotated[bool, Parameter(negative="")] = False,
    floor: int = 8192,
) -> int:
    """Show what TokenPak would change in a request body.

    The body is taken as a conversation never seen before. Nothing is sent anywhere.

    Parameters
    ----------
    body
        File with the request body; "-" reads standard input.
    format
        API format. Told from the body when left out.
    json
        Print the edits as JSON: byte ranges of the body and what replaces them.
    floor
        Tokens that must stand before a block for it to be edited.

    """
    from tokenpak.services.tokens import load_counter, search_path

    raw = sys.stdin.buffer.read() if str(body) == "-" else _read(body)
    fmt = Format(format) if format else guessed(raw)
    try:
        read(fmt, raw)
    except Unreadable as error:
        raise SystemExit(f"tokenpak: this is no {fmt.value} request that can be read exactly ({error})") from error
    patch = Compressor(load_counter(search_path())).run(Job(fmt, Policy(floor_tokens=floor), ()), raw)
    sys.stdout.write((_as_json(fmt, raw, patch) if json else _in_words(raw, patch)) + "\n")
    return 0


def guessed(raw: bytes) -> Format:
    """The format a body is in, by the members only one format has. Exits with a message where it is none."""
    try:
        top = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SystemExit(f"tokenpak: the body is not JSON: {error}") from error
    if not isinstance(top, dict) or not ("messages" in top or "input" in top):
        raise SystemExit("tokenpak: the body has neither `messages` nor `input`; it is no request of a known format")
    if "input" in top:
        return Format.OPENAI_RESPONSES
    messages = top["messages"] if isinstance(top["messages"], list) else []
    told = [m for m in messages if isinstance(m, dict)]
    chat = any(m.get("role") in ("tool", "developer", "system") or "tool_calls" in m for m in told)
    return Format.OPENAI_CHAT if chat and "system" not in top else Format.ANTHROPIC


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SystemExit(f"tokenpak: cannot read {path}: {error.strerror}") from error


def _as_json(fmt: Format, raw: bytes, patch: Patch) -> str:
    edits = [
        {"start": e.start, "end": e.end, "pass": e.name, "old": raw[e.start : e.end].decode(), "new": e.new.decode()}
        for e in patch.edits
    ]
    told = {
        "format": fmt.value,
        "bytes_before": len(raw),
        "bytes_after": len(apply_edits(raw, patch.edits)),
        "tokens_saved": sum(t.saved for t in patch.tallies),
        "tokenizer": patch.counter,
        "passes": {t.name: {"edits": t.edits, "tokens_saved": t.saved} for t in patch.tallies},
        "left_literal": patch.reasons,
        "edits": edits,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _in_words(raw: bytes, patch: Patch) -> str:
    after = len(apply_edits(raw, patch.edits))
    saved = sum(t.saved for t in patch.tallies)
    lines = [f"{len(raw):,} bytes in, {after:,} out; {saved:,} tokens saved ({patch.counter})"]
    lines += [f"  {t.name}: {t.edits} edits, {t.saved:,} tokens" for t in patch.tallies]
    lines += [f"  left literal, {reason}: {n} texts" for reason, n in sorted(patch.reasons.items())]
    for edit in patch.edits:
        lines.append(f"bytes {edit.start}-{edit.end} ({edit.end - edit.start}): {edit.new.decode()}")
    return "\n".join(lines)
