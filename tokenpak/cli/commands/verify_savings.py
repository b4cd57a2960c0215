"""`tokenpak verify-savings`: what was saved, counted by the provider itself, with the user's own key.

Bodies are never stored, so the pairs are made anew, from files or from the client's logs. A count sends the request's text to
the provider: so this says first how much it will send and where, and sends nothing without a yes. One run asks one provider.
Anthropic's count is free; for OpenAI's no price is stated. OpenAI counts requests of its responses, and none of its chat
completions; Gemini's requests are not edited.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated, Literal, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from tokenpak.cli.commands.compress import contents, guessed
from tokenpak.cli.commands.estimate import files_at
from tokenpak.cli.estimate import logs, pairs, recordings
from tokenpak.cli.estimate.counted import Counted, Ratio, Verdict, verdict
from tokenpak.cli.estimate.logs import Kind as LogKind
from tokenpak.cli.estimate.logs import NoLogs
from tokenpak.cli.estimate.pairs import Pair
from tokenpak.cli.estimate.replay import Means
from tokenpak.cli.estimate.turns import Turn
from tokenpak.cli.model import KEY_VARIABLES, Model, ModelError
from tokenpak.cli.options import Switch, wanted_settings
from tokenpak.cli.render import amount
from tokenpak.cli.sheet import as_json, grid, number
from tokenpak.config.prices import load
from tokenpak.config.settings import ConfigError
from tokenpak.core.body import Unreadable
from tokenpak.core.patch import Format
from tokenpak.core.rules import resolved

Provider = Literal["anthropic", "openai"]


class Host(NamedTuple):
    """A provider that counts. name: in sentences. logs: kinds of logs with its requests. free: what is known of the price."""

    name: str
    format: Format
    upstream: str
    logs: frozenset[LogKind]
    free: str


HOSTS: dict[Provider, Host] = {
    "anthropic": Host(
        "Anthropic",
        Format.ANTHROPIC,
        "https://api.anthropic.com",
        frozenset({"claude-code", "recording"}),
        "A count is not billed",
    ),
    "openai": Host(
        "OpenAI",
        Format.OPENAI_RESPONSES,
        "https://api.openai.com",
        frozenset({"codex", "recording"}),
        "OpenAI states no price for a count",
    ),
}

NOT_SENT = 2
FORMS = 2
"""Requests a pair takes."""

LIMITS = """\
What this does not prove: that as much is saved in money. It counts tokens of single requests; what they cost depends on the
provider's cache, which `tokenpak savings` tells of. A log holds neither system prompt nor tools: both forms lack them alike."""


class Nothing(Exception):  # noqa: N818 - named by what is the case
    """There is nothing to be counted; the message says why."""


class Wanted(NamedTuple):
    """The options, as given."""

    path: Path | None
    bodies: tuple[Path, ...]
    host: Host
    upstream: str
    key_variable: str
    model: str
    most: int
    seed: int
    config: Path | None
    yes: bool
    json: bool


def verify_savings(
    path: Path | None = None,
    /,
    *,
    body: Annotated[tuple[Path, ...], Parameter(negative="", show_default=False, metavar="PATH")] = (),
    provider: Provider | None = None,
    upstream: str | None = None,
    key_variable: str | None = None,
    model: Annotated[str, Parameter(show_default=False)] = "",
    most: Annotated[int, Parameter(validator=Number(gte=FORMS))] = 20,
    seed: int = 1,
    yes: Switch = False,
    json: Switch = False,
    config: Path | None = None,
) -> int:
    """Count what was saved with the provider's own count, with your key.

    Each request is counted as it was and as it is sent, and the estimator's error is reported. Prints what it would send,
    and sends nothing without a yes.

    Parameters
    ----------
    path
        A log of Claude Code or Codex, or a folder of logs or recorded sessions. Default: the logs in your home.
    body
        File with a request body, or a recorded session, instead of logs. Write the option again for another.
    provider
        Whose requests are counted, and who is asked. Default: the one that the first body is a request of, else anthropic.
    upstream
        Address of the provider. Default: its own.
    key_variable
        Environment variable that holds the key. Default: ANTHROPIC_API_KEY or OPENAI_API_KEY.
    model
        Model to count for instead of the one a request names.
    most
        Most requests to send; a pair takes two.
    seed
        What sessions are drawn by: the same seed, the same sessions.
    yes
        Send them without asking.
    json
        Print the counts as JSON.
    config
        TOML file with settings.

    """
    host = HOSTS[provider or _owner(body)]
    at, variable = (upstream or host.upstream).rstrip("/"), key_variable or KEY_VARIABLES[host.format]
    try:
        return _verified(Wanted(path, body, host, at, variable, model, most, seed, config, yes=yes, json=json))
    except (ModelError, NoLogs, Nothing) as error:
        raise SystemExit(f"tokenpak: {error}") from error


def _verified(wanted: Wanted) -> int:
    found = _pairs(wanted)
    asked = sys.stderr if wanted.json else sys.stdout
    asked.write(_announced(found, wanted) + "\n")
    asked.flush()
    if not (wanted.yes or _confirmed()):
        asked.write("Nothing was sent. Say --yes to send them.\n")
        return NOT_SENT
    counts = _counts(found, wanted)
    total = verdict(counts)
    told = as_json({"requests": counts, "total": total}) if wanted.json else report(counts, total) + "\n"
    sys.stdout.write(told)
    return 0


# The requests


def _owner(bodies: Sequence[Path]) -> Provider:
    """Whose request the first body is. Exits with a message where it is none."""
    first = contents(bodies[0]) if bodies else b""
    if not first or recordings.is_one(first):
        return "anthropic"
    return "anthropic" if guessed(first) is Format.ANTHROPIC else "openai"


def _pairs(wanted: Wanted) -> list[Pair]:
    """As many pairs as may be sent. Raises Nothing, NoLogs."""
    means = _means(wanted)
    found = _of_files(wanted, means) if wanted.bodies else _of_logs(wanted, means)
    pairs_ = list(islice(found, wanted.most // FORMS))
    if not pairs_:
        raise Nothing(f"nothing to count: in none of these requests of {wanted.host.name}'s would anything be edited")
    nameless = [pair.name for pair in pairs_ if not pairs.model_of(wanted.host.format, pair.original)]
    if nameless:
        raise Nothing(f"{nameless[0]} names no model; say --model")
    return pairs_


def _means(wanted: Wanted) -> Means:
    from tokenpak.services.tokens import ESTIMATE, load_counter, search_path

    settings = wanted_settings(None, wanted.config, None, (), None)
    table = load(settings.paths, settings.prices, datetime.now().astimezone().date().isoformat()).table
    counter = load_counter(search_path(settings.paths.vocabulary))
    if counter.name == ESTIMATE:
        raise ConfigError(
            "no tokenizer vocabulary on this machine: run `tokenpak vocabulary fetch` once, then this again."
        )
    return Means(counter, table, settings.rules, settings.terms, wanted.model)


def _of_files(wanted: Wanted, means: Means) -> Iterator[Pair]:
    """Pairs of the bodies named. Raises Nothing for one that this provider does not count."""
    for path in wanted.bodies:
        raw = contents(path)
        if recordings.is_one(raw):
            pair = pairs.of_turns(path.name, wanted.host.format, _turns(recordings.turns(raw, path.stem)), means)
        else:
            pair = _of_body(path, raw, wanted.host, means)
        yield from () if pair is None else (pair,)


def _of_body(path: Path, raw: bytes, host: Host, means: Means) -> Pair | None:
    fmt = guessed(raw)
    if fmt is Format.OPENAI_CHAT:
        raise Nothing(f"{path} is a chat completion: OpenAI counts requests of its responses, and none of these")
    if fmt is not host.format:
        raise Nothing(f"{path} is no request of {host.name}'s; one run asks one provider")
    try:
        policy = resolved(means.rules, means.terms, None, pairs.model_of(fmt, raw)).policy
        return pairs.of_body(path.name, fmt, raw, policy, means)
    except Unreadable as error:
        raise Nothing(f"{path} is no request that can be read exactly ({error})") from error


def _of_logs(wanted: Wanted, means: Means) -> Iterator[Pair]:
    """Pairs of sessions drawn by the seed, one after the other."""
    files = [log for log in files_at(wanted.path, 0.0, None) if log.kind in wanted.host.logs]
    Random(wanted.seed).shuffle(files)
    for log in files:
        pair = pairs.of_turns(log.path.stem, wanted.host.format, _turns(logs.read(log)), means)
        yield from () if pair is None else (pair,)


def _turns(read: Iterable[object]) -> Iterator[Turn]:
    return (each for each in read if isinstance(each, Turn))


# The provider


def _confirmed() -> bool:
    """What a person says who can be asked."""
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("Send them? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _counts(found: Sequence[Pair], wanted: Wanted) -> list[Counted]:
    """The provider's counts. Raises ModelError."""
    variable = wanted.key_variable
    key = os.environ.get(variable)
    if not key:
        raise ModelError(f"no key: the environment variable {variable} is empty; --key-variable names another")
    with Model(wanted.host.format, wanted.upstream, key) as model:
        return [
            Counted(pair.name, pair.tokens, pair.removed, model.counted(pair.original), model.counted(pair.sent))
            for pair in found
        ]


# What is told


def _announced(found: Sequence[Pair], wanted: Wanted) -> str:
    size = sum(len(pair.original) + len(pair.sent) for pair in found)
    return (
        f"{amount(len(found), 'request')}, each as it was and as it would be sent: {FORMS * len(found)} counts by {wanted.upstream}, "
        f"{size:,} bytes of text in all. {wanted.host.free}, but the text leaves this machine."
    )


def report(counts: Sequence[Counted], total: Verdict) -> str:
    """The counts, and what they come to."""
    head = ("REQUEST", "TOKENS OURS", "PROVIDER'S", "REMOVED OURS", "PROVIDER'S", "RATIO", "CLAIMED", "ERROR")
    rows = [
        (
            each.name,
            number(each.ours),
            number(each.original),
            number(each.ours_removed),
            number(each.removed),
            f"{each.removed / each.ours_removed:.3f}",
            number(round(each.claimed)),
            f"{100 * (each.claimed / each.removed - 1):+.1f}%" if each.removed > 0 else "-",
        )
        for each in counts
    ]
    words = [
        grid(head, rows),
        "",
        f"{amount(total.requests, 'request')}: {total.ours_removed:,} tokens removed by our counter, {total.removed:,} by the provider's",
        f"ratio:    {_ratio(total.ratio, 1.0, '.3f')} of the provider's for one of ours",
        f"claimed:  {total.claimed:,}, with each request's own factor",
        f"error:    {_error(total.error)}",
        "",
        LIMITS,
    ]
    return "\n".join(words)


def _error(error: Ratio | None) -> str:
    if error is None:
        return "the provider counts nothing removed: the claim is false"
    side = "too much" if error.value > 0 else "too little"
    return f"{_ratio(error, 100.0, '+.1f')} % of what was removed ({side} is claimed)"


def _ratio(ratio: Ratio, times: float, form: str) -> str:
    value = format(times * ratio.value, form)
    if ratio.low is None or ratio.high is None:
        return f"{value} (no interval: too few requests)"
    return f"{value} (95 % interval {format(times * ratio.low, form)} to {format(times * ratio.high, form)})"
