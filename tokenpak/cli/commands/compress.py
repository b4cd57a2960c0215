"""`tokenpak compress`: the edits a request body would get, from the body alone, and with --explain why not more."""

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from tokenpak.cli import explanation
from tokenpak.cli.explanation import Told
from tokenpak.cli.options import Repeated, Switch, wanted_settings
from tokenpak.cli.render import amount
from tokenpak.config.rules import Unusable, passes_in
from tokenpak.config.settings import ConfigError, Settings
from tokenpak.core.body import Unreadable, outline, read
from tokenpak.core.patch import Edit, Format, Level, Patch, Policy
from tokenpak.core.pipeline import decide, patch_of
from tokenpak.core.rules import Rule, refined, resolved
from tokenpak.core.splice import apply_edits
from tokenpak.services.tokens import Counter

FormatName = Literal["anthropic", "openai", "responses"]


class Shown(NamedTuple):
    """A body and what would become of it."""

    format: Format
    model: str | None
    policy: Policy
    body: bytes
    patch: Patch
    texts: list[Told]
    never: dict[str, tuple[int, int]]


def compress(
    body: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    format: FormatName | None = None,  # noqa: A002 - the word of the option
    json: Switch = False,
    explain: Switch = False,
    level: Level | None = None,
    only: Repeated = (),
    without: Repeated = (),
    floor: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    client: str | None = None,
    config: Path | None = None,
) -> int:
    """Show what TokenPak would change in a request body.

    The body is taken as a conversation never seen before, on the terms your configuration sets for its model and for
    the client named. Nothing is sent anywhere.

    Parameters
    ----------
    body
        File with the request body; "-" reads standard input.
    format
        API format. Told from the body when left out.
    json
        Print the edits as JSON: byte ranges of the body and what replaces them.
    explain
        Tell of every text that may be edited where it stands, what each pass did to it, or why it was left alone.
    level
        Level to compress at, whatever the configuration says: off or lossless.
    only
        Name of a pass that may make edits; no other may. Write the option again for another.
    without
        Name of a pass that may make none. Write the option again for another.
    floor
        Tokens that must stand before a block for it to be edited.
    client
        Name of the client the body is from, for rules that name one.
    config
        TOML file with settings. Default: config.toml in the user's configuration directory, if there is one.

    """
    raw = _filled("the body on standard input", sys.stdin.buffer.read()) if str(body) == "-" else contents(body)
    fmt = Format(format) if format else guessed(raw)
    given = Rule(level=level, passes=_passes(only) or None, without=_passes(without), floor_tokens=floor)
    shown = _shown(fmt, raw, client, given, wanted_settings(None, config, None, (), None))
    tell = _TELLING[explain, json]
    sys.stdout.write(tell(shown) + "\n")
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


def _shown(fmt: Format, raw: bytes, client: str | None, given: Rule, settings: Settings) -> Shown:
    """The whole outcome. Exits with a message where the body is no request."""
    from tokenpak.services.tokens import load_counter, search_path

    try:
        view, model = read(fmt, raw), outline(fmt, raw).model
        policy = refined(resolved(settings.rules, settings.terms, client, model), given).policy
        counter: Counter = load_counter(search_path(settings.paths.vocabulary))
        decided = decide(view, policy, {}, counter)
        patch = patch_of(raw, decided, counter.name)
    except Unreadable as error:
        raise SystemExit(f"tokenpak: this is no {fmt.value} request that can be read exactly ({error})") from error
    texts = explanation.told(raw, view, decided, counter)
    never = explanation.never_edited([decision.step for decision in decided.decisions])
    return Shown(fmt, model, policy, raw, patch, texts, never)


def _edits_as_json(shown: Shown) -> str:
    """The edits, and with what they add up to."""
    return _json({**_sums(shown), "edits": [_edit(shown.body, edit) for edit in shown.patch.edits]})


def _texts_as_json(shown: Shown) -> str:
    """What happens to each text, and on which terms."""
    never = {kind: {"blocks": blocks, "tokens_about": tokens} for kind, (blocks, tokens) in shown.never.items()}
    terms = {name: getattr(shown.policy, name) for name in ("level", "passes", "floor_tokens")}
    return _json({**_sums(shown), "model": shown.model, "policy": terms, "texts": shown.texts, "never_edited": never})


def _sums(shown: Shown) -> dict[str, object]:
    patch = shown.patch
    return {
        "format": shown.format.value,
        "bytes_before": len(shown.body),
        "bytes_after": len(apply_edits(shown.body, patch.edits)),
        "tokens_saved": sum(t.saved for t in patch.tallies),
        "tokenizer": patch.counter,
        "passes": {t.name: {"edits": t.edits, "tokens_saved": t.saved} for t in patch.tallies},
        "left_literal": patch.reasons,
    }


def _edit(raw: bytes, edit: Edit) -> dict[str, object]:
    old = raw[edit.start : edit.end].decode()
    return {"start": edit.start, "end": edit.end, "pass": edit.name, "old": old, "new": edit.new.decode()}


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _edits_in_words(shown: Shown) -> str:
    patch = shown.patch
    lines = [_headline(shown), *_tallies(patch)]
    lines += [f"  left literal, {reason}: {amount(n, 'text')}" for reason, n in sorted(patch.reasons.items())]
    for edit in patch.edits:
        lines.append(f"bytes {edit.start}-{edit.end} ({edit.end - edit.start}): {edit.new.decode()}")
    return "\n".join(lines)


def _texts_in_words(shown: Shown) -> str:
    """A line for each text, then what they come to."""
    return "\n\n".join([_terms(shown), explanation.table(shown.texts), *_summary(shown)])


def _summary(shown: Shown) -> Iterator[str]:
    """Why texts were left alone, what is never edited, and what was saved."""
    if any(text.why for text in shown.texts):
        yield "Left alone\n" + explanation.why_not(shown.texts)
    if shown.never:
        kinds = (f"{blocks:,} x {kind} (~{tokens:,} tokens)" for kind, (blocks, tokens) in shown.never.items())
        yield textwrap.fill("Never edited: " + ", ".join(kinds), explanation.COLUMNS, subsequent_indent="  ")
    before, after = (sum(getattr(text, side) for text in shown.texts) for side in ("before", "after"))
    share = f" (-{1 - after / before:.1%})" if after < before else ""
    texts = f"{amount(len(shown.texts), 'text')} that may be edited: {before:,} tokens, {after:,} as sent{share}"
    yield "\n".join([texts, *_tallies(shown.patch), _headline(shown)])


def _terms(shown: Shown) -> str:
    """What is looked at, and what is allowed."""
    policy = shown.policy
    passes = ", ".join(policy.passes) or "none"
    words = (
        f"{shown.format.value} request for {shown.model or 'no model'}; "
        f"level {policy.level}, floor {policy.floor_tokens:,} tokens, passes: {passes}"
    )
    return textwrap.fill(words, explanation.COLUMNS, subsequent_indent="  ", break_on_hyphens=False)


def _headline(shown: Shown) -> str:
    before, after = len(shown.body), len(apply_edits(shown.body, shown.patch.edits))
    saved = sum(t.saved for t in shown.patch.tallies)
    return f"{before:,} bytes in, {after:,} out; {amount(saved, 'token')} saved ({shown.patch.counter})"


def _tallies(patch: Patch) -> list[str]:
    return [f"  {t.name}: {amount(t.edits, 'edit')}, {amount(t.saved, 'token')}" for t in patch.tallies]


def _passes(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return passes_in(names)
    except Unusable as error:
        raise ConfigError(str(error)) from error


def contents(path: Path) -> bytes:
    """What is in a file. Exits with a message where it cannot be read, or holds nothing."""
    try:
        return _filled(str(path), path.read_bytes())
    except OSError as error:
        raise SystemExit(f"tokenpak: cannot read {path}: {error.strerror}") from error


def _filled(name: str, raw: bytes) -> bytes:
    if not raw.strip():
        raise SystemExit(f"tokenpak: {name} is empty")
    return raw


_TELLING: dict[tuple[bool, bool], Callable[[Shown], str]] = {
    (False, False): _edits_in_words,
    (False, True): _edits_as_json,
    (True, False): _texts_in_words,
    (True, True): _texts_as_json,
}
"""How the outcome is told, by --explain and --json."""
