"""`tokenpak verify-meaning`: a model asked about text that markers stand for, on the original and on the compressed request.

The one command that sends a request of the user's anywhere, so it says first how much it will send and where, and sends
nothing without `--yes`. Questions are drawn at random by a seed from all that can fairly be asked; every one is asked of
both versions, so what the model gets wrong anyway is told apart from what the markers cost.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from tokenpak.cli.commands.compress import FormatName, contents, guessed
from tokenpak.cli.demonstration.client import encoded
from tokenpak.cli.demonstration.replay import Recording, anthropic_body, chat_body
from tokenpak.cli.model import KEY_VARIABLES, Model, ModelError
from tokenpak.cli.options import Switch
from tokenpak.cli.render import table
from tokenpak.core.agreement import Interval, Pair, compared, is_right
from tokenpak.core.asking import CannotBeAsked, asked
from tokenpak.core.body import Unreadable, blocks_of, read
from tokenpak.core.meaning import Question, questions_about
from tokenpak.core.patch import FLOOR_TOKENS, Format, Job, Policy
from tokenpak.core.pipeline import CHARS_PER_TOKEN, replay
from tokenpak.core.plan import plan_of
from tokenpak.core.splice import apply_edits

NOT_SENT = 2

LIMITS = """\
What this does not prove: that the model works as well on the compressed request. Each question has one line of text for an
answer; whether the model plans, edits or calls tools as well is not asked, and not how often it reads a file again. It holds
for this model, this request and this seed. Where the model is wrong on the original too, the question says nothing
about markers. The interval is what chance alone leaves open; more questions narrow it."""


class Asked(NamedTuple):
    """A question and both answers."""

    question: Question
    original: str
    compressed: str

    @property
    def pair(self) -> Pair:
        """Which of the answers are right."""
        expected = self.question.answer
        return Pair(is_right(self.original, expected), is_right(self.compressed, expected))


class Versions(NamedTuple):
    """A request as it came and as it would be sent, every question that can be asked, and the tokens of both together."""

    format: Format
    original: bytes
    compressed: bytes
    questions: list[Question]
    tokens: int


class Wanted(NamedTuple):
    """The options, as given."""

    body: Path
    upstream: str
    key_variable: str | None
    model: str | None
    format: FormatName | None
    questions: int
    seed: int
    answer_tokens: int
    floor: int
    yes: bool
    show: bool


def verify_meaning(
    body: Path,
    /,
    *,
    upstream: str,
    key_variable: str | None = None,
    model: str | None = None,
    format: FormatName | None = None,  # noqa: A002 - the word of the option
    questions: Annotated[int, Parameter(validator=Number(gte=1))] = 20,
    seed: int = 1,
    answer_tokens: Annotated[int, Parameter(validator=Number(gte=16))] = 256,
    floor: Annotated[int, Parameter(validator=Number(gte=0))] = FLOOR_TOKENS,
    yes: Switch = False,
    show: Switch = False,
) -> int:
    """Ask a model, with your key, about text that markers stand for.

    Each question is asked twice: on the original and on the compressed request. Prints what it would send and sends nothing
    unless told --yes. Reports both scores with intervals of 95 %, their paired difference, and what that does not prove.

    Parameters
    ----------
    body
        File with a request body, or with a recorded session, whose last request is taken.
    upstream
        Address of the provider, such as https://api.anthropic.com.
    key_variable
        Environment variable that holds the key. ANTHROPIC_API_KEY or OPENAI_API_KEY when left out.
    model
        Model to ask instead of the one the body names.
    format
        API format. Told from the body when left out.
    questions
        Questions to ask; each is asked twice.
    seed
        What the questions are drawn by: the same seed, the same questions.
    answer_tokens
        Most tokens of an answer. A model that always thinks first needs more.
    floor
        Tokens that must stand before a block for it to be edited.
    yes
        Send the requests.
    show
        Print every question with both answers.

    """
    base = upstream.rstrip("/")
    return _verified(
        Wanted(body, base, key_variable, model, format, questions, seed, answer_tokens, floor, yes=yes, show=show)
    )


def _verified(wanted: Wanted) -> int:
    try:
        versions = _versions(wanted)
        chosen = Random(wanted.seed).sample(versions.questions, min(wanted.questions, len(versions.questions)))
        requests = [_requests(wanted, versions, each, chosen) for each in (versions.original, versions.compressed)]
        sys.stdout.write(_estimate(wanted, versions, len(chosen)) + "\n")
        if not wanted.yes:
            sys.stdout.write("Nothing was sent. Say --yes to send them.\n")
            return NOT_SENT
        sys.stdout.flush()
        answers = _answers(wanted, versions.format, requests)
    except (CannotBeAsked, ModelError) as error:
        raise SystemExit(f"tokenpak: {error}") from error
    done = [Asked(*each) for each in zip(chosen, *answers, strict=True)]
    sys.stdout.write("\n".join([*(map(_in_full, done) if wanted.show else ()), report(done), "", LIMITS]) + "\n")
    return 0


# The request


def _versions(wanted: Wanted) -> Versions:
    """The request in both versions. Exits with a message where it cannot be read, or nothing can be asked."""
    from tokenpak.services.compress import Compressor
    from tokenpak.services.tokens import load_counter, search_path

    raw = _request(wanted.body)
    fmt = Format(wanted.format) if wanted.format else guessed(raw)
    try:
        view = read(fmt, raw)
        patch = Compressor(load_counter(search_path())).run(Job(fmt, Policy(floor_tokens=wanted.floor), ()), raw)
        sent = apply_edits(raw, patch.edits)
        sizes = [sum(block.size for block in blocks_of(each)) for each in (view, read(fmt, sent))]
    except Unreadable as error:
        raise SystemExit(f"tokenpak: this is no {fmt.value} request that can be read exactly ({error})") from error
    found = questions_about(replay(view, plan_of(patch.forms)))
    if not found:
        raise SystemExit("tokenpak: nothing to ask: no marker in this request hides a line that can be asked for")
    return Versions(fmt, raw, sent, found, sum(sizes) // CHARS_PER_TOKEN)


def _request(path: Path) -> bytes:
    """The body in a file; of a recorded session, its last request."""
    raw = contents(path)
    try:
        found = msgspec.json.decode(raw, type=Recording)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw  # no recording: then it is a body, or what reads it says why not
    build = anthropic_body if found.format == Format.ANTHROPIC.value else chat_body
    return encoded(build(found, found.messages[: found.turn_ends[-1] + 1]))


def _requests(wanted: Wanted, versions: Versions, body: bytes, chosen: Sequence[Question]) -> list[bytes]:
    return [asked(versions.format, body, each.words, wanted.answer_tokens, wanted.model) for each in chosen]


# The provider


def _answers(wanted: Wanted, fmt: Format, requests: Sequence[Sequence[bytes]]) -> list[list[str]]:
    """The answers of each version. One version after the other: so the provider's cache serves all but the first."""
    variable = wanted.key_variable or KEY_VARIABLES[fmt]
    key = os.environ.get(variable)
    if not key:
        raise ModelError(f"no key: the environment variable {variable} is empty; --key-variable names another")
    with Model(fmt, wanted.upstream, key) as model:
        return [[model.answer(each) for each in bodies] for bodies in requests]


# What is told


def _estimate(wanted: Wanted, versions: Versions, count: int) -> str:
    return (
        f"{count} questions, drawn with seed {wanted.seed} from {len(versions.questions):,} that can be asked, each asked "
        f"of both versions: {2 * count} requests to {wanted.upstream}.\n"
        f"About {count * versions.tokens:,} input tokens in all, at four characters a token (Claude counts up to 1.6 times "
        f"as many); what the provider has in its cache costs less. At most {2 * count * wanted.answer_tokens:,} output tokens."
    )


def _in_full(done: Asked) -> str:
    return (
        f"{done.question.words}\n"
        f"  expected:   {done.question.answer!r}\n"
        f"  original:   {done.original!r} {'right' if done.pair.original else 'wrong'}\n"
        f"  compressed: {done.compressed!r} {'right' if done.pair.compressed else 'wrong'}\n"
    )


def report(done: Sequence[Asked]) -> str:
    """Both scores and their difference, with intervals."""
    found = compared([each.pair for each in done])
    silent = [
        sum(not answer.strip() for answer in each)
        for each in zip(*((d.original, d.compressed) for d in done), strict=True)
    ]
    rows = [
        _score("original", found.original, found.asked, silent[0]),
        _score("compressed", found.compressed, found.asked, silent[1]),
    ]
    low, high = (f"{100 * each:+.0f}" for each in found.difference[1:])
    scores = table(["request", "right", "share", "95 % interval", "no answer"], rows)
    return (
        f"{scores}\n"
        f"compressed minus original: {100 * found.difference.value:+.0f} points, 95 % interval {low} to {high}; "
        f"right on the original alone: {found.only_original}, on the compressed alone: {found.only_compressed}"
    )


def _score(name: str, share: Interval, asked_of: int, silent: int) -> list[str]:
    interval = f"{100 * share.low:.0f}-{100 * share.high:.0f} %"
    return [name, f"{share.value * asked_of:.0f} of {asked_of}", f"{100 * share.value:.0f} %", interval, f"{silent}"]
