"""Marks over whole conversations: evidence, time, forks, restarts; and what they do to the bill."""

import json
from random import Random

import pytest

from tests.core import agent_loop, corpus
from tests.core.agent_loop import MARK, MODEL, SYSTEM, loop, request, step, text, user
from tests.core.writing import Style, written
from tokenpak.core import breakpoints, ledger
from tokenpak.core.patch import Format
from tokenpak.core.places import lay_out
from tokenpak.services import marks as module
from tokenpak.services.marks import CacheMarks


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


class Provider:
    """A provider's cache by the ledger's rules; it believes nothing that was not sent."""

    def __init__(self, clock):
        self._clock, self._cache, self.bill, self.used = clock, {}, 0.0, ledger.Used()

    def take(self, body):
        layout = lay_out(body, b"")
        reading = ledger.ask(self._cache, layout.prefixes, layout.client_marks, ledger.ANTHROPIC, self._clock.now)
        self._cache = ledger.begun(self._cache, reading, self._clock.now)
        self.used = reading.used
        self.bill += ledger.bill(reading.used, ledger.PRICES)


class Lab:
    """A service, and the provider with and without it."""

    def __init__(self):
        self.clock = Clock()
        self.service = CacheMarks(self.clock)
        self.with_marks, self.without = Provider(self.clock), Provider(self.clock)

    def send(self, body, after_s=1.0):
        """One request; the number of marks it got."""
        self.clock.now += after_s
        done = self.service.place(body, MODEL)
        assert (done.body is body) is (done.marks == 0)
        self.with_marks.take(done.body)
        self.without.take(body)
        return done.marks

    @property
    def saved(self):
        return 1 - self.with_marks.bill / self.without.bill


@pytest.fixture
def lab():
    return Lab()


def test_a_loop_is_marked_from_its_second_request_on(lab):
    assert [bool(lab.send(agent_loop.plain(steps))) for steps in range(6)] == [False, True, True, True, True, True]
    assert lab.with_marks.used.uncached == 0
    assert lab.with_marks.used.read > 1800


@pytest.mark.parametrize("client", [agent_loop.plain, agent_loop.cline])
def test_clients_without_a_mark_on_their_tail_save_most_of_the_bill(lab, client):
    for steps in range(60):
        lab.send(client(steps))
    assert lab.saved > 0.75
    assert lab.service.statistics()["defects"] == 0


def test_marks_are_priced_by_the_model(lab):
    asked = []
    dear = CacheMarks(lab.clock, lambda model: asked.append(model) or ledger.Prices(write_5m=4.0))
    assert [dear.place(agent_loop.plain(steps), MODEL).marks for steps in range(4)] == [0] * 4
    assert set(asked) == {MODEL}


def test_continue_saves_while_it_has_room(lab):
    for steps in range(20):
        lab.send(agent_loop.continued(steps))
    assert lab.saved > 0.3
    assert lab.send(agent_loop.continued(5, asked=2)) == 0


@pytest.mark.parametrize("client", [agent_loop.claude_code, agent_loop.opencode])
def test_clients_that_mark_well_are_left_alone(lab, client):
    assert [lab.send(client(steps)) for steps in range(8)] == [0] * 8
    assert lab.saved == 0


def test_one_shot_calls_never_get_a_mark(lab):
    assert [lab.send(request([user(text(f"Classify {number}."))])) for number in range(9)] == [0] * 9
    assert [lab.send(agent_loop.plain(0)) for _ in range(5)] == [0] * 5


def test_a_history_never_seen_gets_none_and_is_seen_by_then(lab):
    assert lab.send(agent_loop.plain(7)) == 0
    assert lab.send(agent_loop.plain(8)) == 3


def test_a_restart_costs_one_turn(lab):
    for steps in range(5):
        lab.send(agent_loop.plain(steps))
    lab.service = CacheMarks(lab.clock)
    assert lab.send(agent_loop.plain(5)) == 0
    assert lab.send(agent_loop.plain(6)) == 3
    assert lab.with_marks.used.read > 1800  # the provider has not forgotten


def test_a_conversation_as_slow_as_the_cache_gets_none(lab):
    assert [lab.send(agent_loop.plain(steps), after_s=301) for steps in range(6)] == [0] * 6


def test_a_pause_after_many_quick_turns_is_forgiven(lab):
    for steps in range(6):
        lab.send(agent_loop.plain(steps))
    assert lab.send(agent_loop.plain(6), after_s=3000) == 3


def test_a_pause_after_one_quick_turn_is_not_but_the_next_quick_ones_are_a_new_start(lab):
    marks = [lab.send(agent_loop.plain(steps), pause) for steps, pause in enumerate((1, 1, 400, 1, 1))]
    assert [bool(each) for each in marks] == [False, True, False, True, True]
    assert lab.with_marks.used.read > 1800


def test_a_fork_is_a_conversation_of_its_own(lab):
    for steps in range(6):
        lab.send(agent_loop.plain(steps))
    both = [request([*loop(6), user(text(variant))]) for variant in "ab"]
    assert [bool(lab.send(body)) for body in both] == [True, True]
    grown = [request([*loop(6), user(text(variant)), *step(9)]) for variant in "ab"]
    assert all(lab.send(body) for body in grown)
    assert lab.with_marks.used.uncached == 0


def test_a_note_that_passes_costs_one_try(lab):
    """A client that adds a note to the end of each request, and takes it away in the next."""
    lab.send(agent_loop.plain(0))
    noted = [request([*loop(n)[:-1], user(*loop(n)[-1]["content"], text(f"now {n}"))]) for n in range(1, 12)]
    marks = [lab.send(body) for body in noted]
    assert marks[0] > 0
    assert lab.saved > 0  # the first request's end is read, and nothing else is written any more
    assert lab.with_marks.used.write_5m == 0


def test_a_history_cut_short_reads_the_head_and_goes_on(lab):
    for steps in range(8):
        lab.send(agent_loop.plain(steps))
    cut = [request([user(text("Summary.")), *loop(n)[9:]]) for n in (8, 9, 10)]
    lab.send(cut[0])
    assert lab.with_marks.used.read > 1500
    assert lab.with_marks.used.write_5m == 0
    assert [lab.send(body) > 0 for body in cut[1:]] == [True, True]


def test_old_results_cleared_by_the_client(lab):
    for steps in range(8):
        lab.send(agent_loop.plain(steps))
    for steps in (8, 9, 10):
        messages = loop(steps)
        for message in messages[2:6:2]:
            message["content"][0]["content"] = "[cleared]"
        assert lab.send(request(messages)) > 0
    assert lab.with_marks.used.uncached == 0


def test_other_bytes_for_the_same_history(lab):
    for steps in range(8):
        body = json.loads(agent_loop.plain(steps))
        style = Style(", ", ": ", ascii=bool(steps % 2), strings=bool(steps % 2))
        assert bool(lab.send(written(body, style))) is (steps > 0)
    assert lab.with_marks.used.uncached == 0


def test_another_model_is_another_conversation(lab):
    for steps in range(4):
        lab.send(agent_loop.plain(steps))
    assert lab.service.place(agent_loop.plain(4), "claude-opus-5").marks == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages":[]}', b'{"messages":[1]}', b'{"cache_control"'])
def test_what_cannot_be_read_goes_as_it_is(lab, body):
    done = lab.service.place(body, MODEL)
    assert (done.body, done.marks) == (body, 0)
    assert lab.service.statistics()["unread"] == 1


def test_what_cannot_be_proved_goes_as_it_is_and_is_counted(lab, monkeypatch):
    lab.send(agent_loop.plain(0))
    monkeypatch.setattr(breakpoints, "MEMBER", b'"cache_control":{"type":"ephemeral"},"more":1')
    assert lab.send(agent_loop.plain(1)) == 0
    assert lab.service.statistics()["defects"] == 1


def test_statistics(lab):
    for steps in range(3):
        lab.send(agent_loop.plain(steps))
    lab.send(agent_loop.claude_code(3))
    counts = lab.service.statistics()
    wanted = {"requests": 4, "one_shot": 1, "placed": 2, "covered": 1, "marks": 6, "defects": 0, "ends": 3}
    assert wanted.items() <= counts.items()


def test_what_is_held_is_bounded(monkeypatch):
    for name in ("ENDS", "ENTRIES", "ELEMENTS"):
        monkeypatch.setattr(module, name, 5)
    lab = Lab()
    for steps in range(12):
        lab.send(agent_loop.plain(steps))
    held = lab.service.statistics()
    assert max(held["ends"], held["entries"], held["elements"]) <= 5
    assert lab.send(agent_loop.plain(12)) > 0


@pytest.mark.parametrize("pause", [0.5, 100, 290])
def test_a_session_of_a_few_turns_is_never_dearer_from_the_third_on(pause):
    placed = 0
    for seed in range(15):
        rng, lab = Random(seed), Lab()
        messages, system = loop(0), [text(SYSTEM * rng.randrange(1, 4))]
        for number in range(9):
            placed += lab.send(request(messages, system), pause)
            assert number < 2 or lab.with_marks.bill <= lab.without.bill
            messages = [*messages, *step(number, rng.choice([1, 2, 30, 90]))]
    assert placed > 200


def test_a_turn_many_times_the_conversation_so_far_waits_for_the_next_one(lab):
    messages = loop(2)
    huge = [*messages, *step(2, calls=300)]
    marks = [lab.send(request(each)) for each in (loop(0), loop(1), messages, huge)]
    assert all(marks[1:])
    assert lab.with_marks.used.write_5m == 0  # what is there is read
    assert lab.with_marks.bill < lab.without.bill
    lab.send(request([*huge, *step(3)]))
    assert lab.with_marks.used.uncached == 0
    lab.send(request([*huge, *step(3), *step(4)]))
    assert lab.with_marks.bill < lab.without.bill


RECORDED = [each for each in corpus.sessions() if each.format is Format.ANTHROPIC and "wire" not in each.name]


@pytest.mark.parametrize("recorded", RECORDED[:3], ids=lambda each: each.name)
def test_recorded_sessions_without_marks(lab, recorded):
    session = json.loads(recorded.path.read_bytes())
    for end in session["turn_ends"][:45]:
        lab.send(json.dumps(corpus.request(session, end + 1, Format.ANTHROPIC)).encode())
    assert lab.saved > 0.8


def test_a_client_that_marks_the_request_itself(lab):
    assert [lab.send(request(loop(steps), cache_control=MARK)) for steps in range(4)] == [0] * 4
