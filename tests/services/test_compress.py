"""The worker's side: any job gets a patch, and nothing it keeps changes one."""

from random import Random

import msgspec
import pytest

from tests.core.contract import REFERENCES as LOW
from tests.core.contract import Words
from tests.core.readings import REPEATED, anthropic, worked
from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body.model import Unit
from tokenpak.core.lines import taken_apart
from tokenpak.core.patch import Change, Form, Format, Job, Policy
from tokenpak.core.splice import apply_edits
from tokenpak.services import compress
from tokenpak.services.compress import Compressor, TakenApart, Units

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)


def test_a_job_is_answered_with_the_patch_of_the_body():
    body = anthropic(REPEATED, REPEATED)
    patch = Compressor(Words()).run(Job(Format.ANTHROPIC, LOW, ()), body)
    assert patch == worked(body)
    assert patch.counter == Words.name
    assert len(apply_edits(body, patch.edits)) < len(body)


class Four(Words):
    """A counter that is no estimate."""

    name = "four"


def test_a_request_is_counted_whole_where_the_job_asks_for_it():
    worker, body = Compressor(Four()), anthropic(REPEATED, REPEATED)
    assert worker.run(Job(Format.ANTHROPIC, LOW, ()), body).counted is None
    texts = len("go") // 3 + 2 * (len(REPEATED) // 3)
    calls = worker.run(Job(Format.ANTHROPIC, LOW, (), True), body).counted - texts
    assert 0 < calls < 100  # by their size
    assert worker.run(Job(Format.ANTHROPIC, LOW, (), True), b"nonsense").counted is None
    without_vocabulary = Compressor(Words())
    without_vocabulary._counter.name = "estimate"
    assert without_vocabulary.run(Job(Format.ANTHROPIC, LOW, (), True), body).counted is None


def test_what_a_provider_signed_for_itself_counts_for_nothing():
    def counted(signature):
        thinking = {"type": "thinking", "thinking": 'It says "signature": "no".', "signature": signature}
        said = {"role": "assistant", "content": [thinking]}
        body = written({"model": "m", "messages": [{"role": "user", "content": "go"}, said]})
        return Compressor(Four()).run(Job(Format.ANTHROPIC, LOW, (), True), body).counted

    assert counted("") == counted("c2ln" * 999)
    assert counted("") > 10


@FORMATS
def test_several_conversations_in_any_order_get_what_a_cold_worker_gives(fmt: Format, monkeypatch: pytest.MonkeyPatch):
    """Interleaved, forked, asked twice, with every store so small that it always overflows."""
    monkeypatch.setattr(compress, "UNIT_BYTES", 20_000)
    monkeypatch.setattr(compress, "PLACED_BLOCKS", 3)
    monkeypatch.setattr(compress, "LINE_CHARS", 5_000)
    monkeypatch.setattr(compress, "CONVERSATIONS", 2)
    rng, warm = Random(1), Compressor(Words())
    sessions = [agent_session(seed, 8) for seed in (1, 2, 1)]
    forms: list[tuple[Form, ...]] = [(), (), ()]
    turns = [session.turns() for session in sessions]
    while any(turns):
        which = rng.choice([i for i, left in enumerate(turns) if left])
        body = restyled(body_of(fmt, sessions[which], turns[which].pop(0)), any_style(rng), rng)
        policy = rng.choice([LOW, LOW, LOW, Policy(level="off")])
        job = Job(fmt, policy, forms[which])
        patch, cold = warm.run(job, body), Compressor(Words()).run(job, body)
        assert msgspec.structs.replace(patch, reasons={}) == msgspec.structs.replace(cold, reasons={})
        forms[which] += patch.forms if rng.random() < 0.8 else ()
    assert warm.statistics()["placed"] <= 3
    assert warm.statistics()["conversations"] <= 2
    assert warm.statistics()["unit_chars"] <= 20_000


@FORMATS
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"messages":[{"role":"user","content":"\\ud800"}],"input":"\\ud800"}',
        b'{"messages":[],"messages":[],"input":[],"input":[]}',
    ],
    ids=range(6),
)
def test_a_body_that_cannot_be_read_goes_as_it_is(fmt: Format, body: bytes):
    patch = Compressor(Words()).run(Job(fmt, LOW, ()), body)
    assert apply_edits(body, patch.edits) is body
    assert len(patch.reasons) == 1
    assert patch.forms == ()


def test_a_plan_that_does_not_fit_is_no_error():
    body = anthropic(REPEATED, REPEATED)
    form = Form(worked(body).forms[1].chain, (Change(0, 9, 3, "", "x", 0),))
    worker = Compressor(Words())
    patch = worker.run(Job(Format.ANTHROPIC, LOW, (form,)), body)
    assert (patch.edits, patch.reasons) == ((), {"bad_plan": 1})
    assert worker.run(Job(Format.ANTHROPIC, LOW, ()), body) == worked(body)


@FORMATS
def test_random_bodies_never_raise(fmt: Format):
    rng, worker = Random(2), Compressor(Words())
    sound = written(body_of(fmt, agent_session(9, 6), 12))
    for _ in range(300):
        raw = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(raw))
            raw[at : at + rng.randint(0, 4)] = rng.choice([b"", b"\\", b'"', b"}", b"null", b"\xff", b"1", b"[]"])
        body = bytes(raw)
        patch = worker.run(Job(fmt, LOW, ()), body)
        apply_edits(body, patch.edits)


def test_conversations_are_kept_newest_first_within_their_bound(monkeypatch: pytest.MonkeyPatch):
    worker = Compressor(Words())
    for n in range(compress.CONVERSATIONS + 5):
        worker.run(Job(Format.ANTHROPIC, LOW, ()), anthropic(f"{n}", REPEATED))
    assert worker.statistics()["conversations"] == compress.CONVERSATIONS
    monkeypatch.setattr(compress, "CONVERSATION_CHARS", 5_000)
    worker.run(Job(Format.ANTHROPIC, LOW, ()), anthropic("x", REPEATED))
    assert worker.statistics()["conversations"] <= 3
    worker.run(Job(Format.ANTHROPIC, LOW, ()), anthropic(REPEATED * 9))
    assert worker.statistics()["conversations"] == 1


def test_units_forget_the_least_recently_used():
    units = Units(5_000)
    for name in "abc":
        units[name.encode()] = Unit(())
    size = units.size // 3
    assert size > 0  # a unit costs something even when it is empty
    units = Units(3 * size)
    for name in (b"a", b"b", b"c"):
        units[name] = Unit(())
    assert units[b"a"]
    units[b"d"] = Unit(())
    assert set(units) == {b"a", b"c", b"d"}
    del units[b"a"]
    assert (units.size, len(units)) == (2 * size, 2)
    assert units.get(b"b") is None


def test_texts_taken_apart_are_remembered_within_a_bound():
    known = TakenApart(10)
    first = known("1:a\nb")
    assert first == taken_apart("1:a\nb")
    assert known("1:a\nb") is first
    known("x" * 10)
    assert known("1:a\nb") is not first
