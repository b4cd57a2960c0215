"""The pool against workers whose every word the test says. Real processes: tests/anomaly/test_worker_death.py."""

import time
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from tests.worker_lab import JOB, FakeWorker, fake_workers, instance, patch_for, until
from tokenpak.ipc import frames
from tokenpak.ipc.credit import LARGE
from tokenpak.ipc.frames import HEAD, JobMessage, Kind, PatchMessage, PingMessage, PongMessage, RefusalMessage, Vitals
from tokenpak.services.pool import Answer, Limits, Missed, WorkerPool

VITALS = Vitals(123, "test", 1, 2, 3, 4)


class Scene:
    """A pool, its fake workers, and calls in the background."""

    def __init__(self, pool: WorkerPool, fakes: list[FakeWorker], nursery: trio.Nursery) -> None:
        self.pool, self.fakes, self.nursery = pool, fakes, nursery

    def ask(self, body: bytes = b"x", session: bytes = b"s", party: bytes = b"") -> "Call":
        call = Call()
        self.nursery.start_soon(call.run, self.pool, body, session, party)
        return call

    def seat(self, number: int = 0):
        return self.pool.statistics().workers[number]


class Call:
    """One `ask`, and what came of it."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.outcome: Answer | Missed | None = None
        self.took = -1.0
        self.ended = trio.Event()

    async def run(self, pool: WorkerPool, body: bytes, session: bytes, party: bytes) -> None:
        started = trio.current_time()
        with self.scope:
            self.outcome = await pool.ask(JOB, body, session, party)
        self.took = trio.current_time() - started
        self.ended.set()

    async def end(self) -> Answer | Missed | None:
        with trio.fail_after(5):
            await self.ended.wait()
        return self.outcome


@asynccontextmanager
async def scene(workers=1, base_s=5.0, **limits):
    with instance(workers, job_base_s=base_s, job_per_mb_s=0.5) as settings, fake_workers(settings) as fakes:
        async with WorkerPool(settings, Limits(**limits)) as pool, trio.open_nursery() as nursery:
            await until(lambda: all(worker.up for worker in pool.statistics().workers))
            yield Scene(pool, fakes, nursery)
            nursery.cancel_scope.cancel()


def answer_to(job: frames.Message, took_ns: int = 2_000_000) -> PatchMessage:
    assert isinstance(job, JobMessage)
    return PatchMessage(job.number, took_ns, patch_for(job.body))


async def test_a_job_is_answered():
    async with scene() as on:
        call = on.ask(b"the body")
        job = await on.fakes[0].hear()
        assert (job.job, job.body) == (JOB, b"the body")
        on.fakes[0].tell(answer_to(job))
        answer = await call.end()
        assert answer.patch == patch_for(b"the body")
        assert answer.worker_ms == 2.0
        assert 0 <= answer.queue_ms <= call.took * 1e3
        counted = on.pool.statistics()
        assert (counted.asked, counted.answered, counted.missed) == (1, 1, {})
        assert on.seat().in_flight == 0


async def test_statistics_read_well_as_json():
    async with scene(ping_s=9) as on:
        ping = await on.fakes[0].hear_any()
        on.fakes[0].tell(PongMessage(ping.number, VITALS))
        await until(lambda: on.seat().vitals is not None)
        (worker,) = msgspec.json.decode(msgspec.json.encode(on.pool.statistics()))["workers"]
        assert worker["socket"] == "w00.sock"
        assert worker["vitals"]["pid"] == VITALS.pid
        assert (worker["up"], worker["hung"], worker["in_flight"]) == (True, False, 0)


async def test_without_any_worker_the_answer_is_no_at_once():
    with instance() as settings:
        async with WorkerPool(settings) as pool:
            with trio.fail_after(0.2):
                assert await pool.ask(JOB, b"x", b"s") == Missed("no_worker")
            assert pool.statistics().missed == {"no_worker": 1}


async def test_outside_its_context_a_pool_has_no_workers():
    with instance() as settings:
        pool = WorkerPool(settings)
        assert await pool.ask(JOB, b"x", b"s") == Missed("no_worker")


async def test_the_deadline_grows_with_the_body():
    async with scene(base_s=0.05) as on:
        small, large = on.ask(b"x"), on.ask(bytes(400_000))
        assert await small.end() == Missed("deadline")
        assert await large.end() == Missed("deadline")
        assert 0.05 <= small.took < 0.2
        assert 0.25 <= large.took < 0.5
        assert on.pool.statistics().missed == {"deadline": 2}


async def test_the_worker_is_told_when_nobody_waits_any_more():
    async with scene(base_s=2) as on:
        before = time.monotonic_ns()
        call = on.ask()
        job = await on.fakes[0].hear()
        assert before + 2e9 <= job.expiry_ns <= time.monotonic_ns() + 2e9
        on.fakes[0].tell(answer_to(job))
        await call.end()


async def test_a_worker_that_let_a_job_pass_gets_nothing_until_it_is_heard():
    async with scene(workers=2, base_s=0.1, ping_s=9) as on:
        call = on.ask(session=b"a")
        job = await on.fakes[0].hear()
        assert await call.end() == Missed("deadline")
        assert on.seat(0).quiet
        assert on.seat(0).in_flight == 1
        again = on.ask(session=b"a")
        other = await on.fakes[1].hear()
        on.fakes[1].tell(answer_to(other))
        assert isinstance(await again.end(), Answer)
        on.fakes[0].tell(answer_to(job))
        await until(lambda: not on.seat(0).quiet)
        assert on.seat(0).in_flight == 0
        assert on.pool.statistics().late == 1


async def test_the_session_goes_where_it_was_while_that_worker_is_free():
    async with scene(workers=2) as on:
        for _ in range(3):
            for number, session in ((0, b"a"), (1, b"b")):
                call = on.ask(session=session)
                on.fakes[number].tell(answer_to(await on.fakes[number].hear()))
                await call.end()
        waiting = on.ask(session=b"a")
        job = await on.fakes[0].hear()
        call = on.ask(session=b"a")
        on.fakes[1].tell(answer_to(await on.fakes[1].hear()))
        await call.end()
        on.fakes[0].tell(answer_to(job))
        await waiting.end()


async def test_beyond_the_credits_jobs_wait_and_go_first_come_first_served():
    async with scene(credit=1) as on:
        calls = [on.ask(b"%d" % number) for number in range(1)]
        job = await on.fakes[0].hear()
        for number in range(1, 6):
            calls.append(on.ask(b"%d" % number))
            await until(lambda number=number: on.pool.statistics().waiting == number)
        heard = []
        for _ in calls:
            heard.append(job.body)
            assert on.seat().in_flight == 1
            on.fakes[0].tell(answer_to(job))
            if len(heard) < len(calls):
                job = await on.fakes[0].hear()
        for call in calls:
            assert isinstance(await call.end(), Answer)
        assert heard == [b"0", b"1", b"2", b"3", b"4", b"5"]
        assert on.pool.statistics().waiting_peak == 5


async def waiting(on: Scene, *asked: tuple[bytes, bytes]) -> list[Call]:
    """Calls that wait in this order, behind what is in flight."""
    calls = []
    for body, party in asked:
        before = on.pool.statistics().waiting
        calls.append(on.ask(body, party=party))
        await until(lambda before=before: on.pool.statistics().waiting == before + 1)
    return calls


async def test_a_small_job_does_not_wait_behind_all_the_large_ones_of_another():
    async with scene(credit=1) as on:
        on.ask(b"first")
        job = await on.fakes[0].hear()
        large = [b"%d" % number + bytes(2_000_000) for number in range(3)]
        await waiting(on, *[(body, b"greedy") for body in large], (b"small 1", b"other"), (b"small 2", b"other"))
        order = []
        for _ in range(5):
            on.fakes[0].tell(answer_to(job))
            job = await on.fakes[0].hear()
            order.append(job.body)
        assert order == [b"small 1", b"small 2", *large]


async def test_the_sessions_of_one_party_take_turns_as_one():
    async with scene(credit=1) as on:
        on.ask(b"first")
        job = await on.fakes[0].hear()
        for number in range(3):
            on.ask(b"many %d" % number, session=b"%d" % number, party=b"one")
            await until(lambda number=number: on.pool.statistics().waiting == number + 1)
        await waiting(on, (b"another", b"two"))
        order = []
        for _ in range(4):
            on.fakes[0].tell(answer_to(job))
            job = await on.fakes[0].hear()
            order.append(job.body)
        assert order == [b"many 0", b"another", b"many 1", b"many 2"]


async def test_small_jobs_pass_a_large_one_that_must_leave_them_a_worker():
    async with scene(workers=2) as on:
        on.ask(bytes(LARGE), party=b"greedy")
        await until(lambda: sum(worker.in_flight for worker in on.pool.statistics().workers) == 1)
        await waiting(on, (bytes(LARGE), b"greedy"))
        free = [worker.in_flight for worker in on.pool.statistics().workers].index(0)
        call = on.ask(b"small", party=b"other")
        job = await on.fakes[free].hear()
        assert job.body == b"small"
        on.fakes[free].tell(answer_to(job))
        assert isinstance(await call.end(), Answer)
        assert on.pool.statistics().waiting == 1


async def test_a_full_line_puts_out_whose_turn_would_come_last():
    async with scene(credit=1, waiting=2) as on:
        flying = on.ask()
        await on.fakes[0].hear()
        first, second = await waiting(on, (b"1", b"greedy"), (b"2", b"greedy"))
        other = on.ask(b"3", party=b"other")
        assert await second.end() == Missed("busy")
        assert (flying.outcome, first.outcome, other.outcome) == (None, None, None)
        assert await on.ask(b"4", party=b"greedy").end() == Missed("busy")
        assert on.pool.statistics().missed == {"busy": 2}


async def test_the_queue_is_bounded():
    async with scene(credit=1, waiting=2) as on:
        calls = [on.ask() for _ in range(3)]
        await until(lambda: on.pool.statistics().waiting == 2)
        assert await on.ask().end() == Missed("busy")
        assert all(call.outcome is None for call in calls)


async def test_waiting_counts_against_the_deadline():
    async with scene(credit=1, base_s=0.1) as on:
        on.ask(bytes(10_000_000))
        await on.fakes[0].hear()
        call = on.ask()
        await until(lambda: on.pool.statistics().waiting == 1)
        assert await call.end() == Missed("deadline")
        assert on.pool.statistics().waiting == 0
        assert not on.seat().quiet  # the worker never had it


async def test_a_client_that_leaves_is_no_fault_of_the_worker():
    async with scene(credit=1) as on:
        flying, waiting = on.ask(), None
        job = await on.fakes[0].hear()
        waiting = on.ask()
        await until(lambda: on.pool.statistics().waiting == 1)
        waiting.scope.cancel()
        flying.scope.cancel()
        await flying.end()
        await waiting.end()
        seat = on.seat()
        assert (seat.quiet, seat.in_flight, on.pool.statistics().waiting) == (False, 1, 0)
        on.fakes[0].tell(answer_to(job))
        await until(lambda: on.seat().in_flight == 0)
        counted = on.pool.statistics()
        assert (counted.asked, counted.left, counted.late, counted.missed) == (2, 2, 1, {})


async def test_a_refusal_is_a_miss_counted_by_its_word():
    async with scene() as on:
        for why in frames.WHYS:
            call = on.ask()
            job = await on.fakes[0].hear()
            on.fakes[0].tell(RefusalMessage(job.number, why))
            assert await call.end() == Missed("refused")
        counted = on.pool.statistics()
        assert counted.refused == dict.fromkeys(frames.WHYS, 1)
        assert counted.missed == {"refused": 4}


async def test_a_garbled_answer_that_names_its_job_ends_it():
    async with scene() as on:
        doomed, fine = on.ask(b"1"), on.ask(b"2")
        first, second = await on.fakes[0].hear(), await on.fakes[0].hear()
        by_body = {first.body: first, second.body: second}
        on.fakes[0].say(HEAD.pack(b"TP", 1, Kind.PATCH.value, by_body[b"1"].number) + bytes(8) + b"garbage")
        assert await doomed.end() == Missed("garbled")
        on.fakes[0].tell(answer_to(by_body[b"2"]))
        assert isinstance(await fine.end(), Answer)
        assert on.seat().garbled == 1


async def test_noise_makes_every_job_of_its_worker_doubtful_and_no_other():
    async with scene(workers=2) as on:
        calls = [on.ask(b"%d" % number, session=b"%d" % number) for number in range(3)]
        heard = [await on.fakes[0].hear(), await on.fakes[0].hear(), await on.fakes[1].hear()]
        on.fakes[0].say(b"noise")
        by_body = {job.body: job for job in heard}
        on.fakes[1].tell(answer_to(heard[2]))
        outcomes = {b"%d" % number: await call.end() for number, call in enumerate(calls)}
        assert isinstance(outcomes[heard[2].body], Answer)
        assert [outcomes[job.body] for job in heard[:2]] == [Missed("garbled")] * 2
        assert len(by_body) == 3
        assert on.seat(0).in_flight == 2  # its credits are gone until it proves itself


async def test_our_own_words_coming_back_are_garbled():
    async with scene() as on:
        call = on.ask()
        job = await on.fakes[0].hear()
        on.fakes[0].tell(job)
        assert await call.end() == Missed("garbled")


async def test_an_answer_to_nothing_is_counted_and_harms_nothing():
    async with scene() as on:
        call = on.ask()
        job = await on.fakes[0].hear()
        on.fakes[0].tell(PatchMessage(job.number + 1000, 1, patch_for(b"")))
        on.fakes[0].tell(answer_to(job))
        on.fakes[0].tell(answer_to(job))
        assert isinstance(await call.end(), Answer)
        await until(lambda: on.pool.statistics().stray == 2)
        assert on.seat().in_flight == 0


async def test_a_pong_proves_older_jobs_lost_and_frees_their_credit():
    async with scene(ping_s=0.05) as on:
        ping = await on.fakes[0].hear_any()
        assert isinstance(ping, PingMessage)
        lost = on.ask()
        job = await on.fakes[0].hear_any()
        assert isinstance(job, JobMessage)
        on.fakes[0].tell(PongMessage(ping.number, VITALS))
        await until(lambda: on.seat().vitals == VITALS)
        assert lost.outcome is None  # that ping was older than the job
        second = await on.fakes[0].hear_any()
        assert isinstance(second, PingMessage)
        on.fakes[0].tell(PongMessage(second.number, VITALS))
        assert await lost.end() == Missed("garbled")
        assert on.seat().in_flight == 0
        assert on.pool.statistics().lost == 1


async def test_a_pong_nobody_asked_for_frees_nothing():
    async with scene(ping_s=9) as on:
        call = on.ask()
        job = await on.fakes[0].hear()
        on.fakes[0].tell(PongMessage(job.number + 5, VITALS))
        await until(lambda: on.pool.statistics().stray == 1)
        assert on.seat().in_flight == 1
        on.fakes[0].tell(answer_to(job))
        assert isinstance(await call.end(), Answer)


async def test_a_worker_without_a_word_is_reported_hung_and_not_waited_for():
    async with scene(ping_s=0.03) as on:
        await until(lambda: on.seat().hung)
        assert await on.ask().end() == Missed("no_worker")
        ping = await on.fakes[0].hear_any()
        on.fakes[0].tell(PongMessage(ping.number, VITALS))
        await until(lambda: not on.seat().hung)
        assert on.seat().silent_s < 5


async def test_one_ping_at_a_time():
    async with scene(ping_s=0.02) as on:
        await until(lambda: on.seat().hung)
        assert isinstance(await on.fakes[0].hear_any(), PingMessage)
        assert not on.fakes[0].waiting()


async def test_a_long_job_excuses_its_worker():
    async with scene(ping_s=0.02, base_s=1) as on:
        call = on.ask()
        job = await on.fakes[0].hear()
        with trio.move_on_after(0.3):
            await until(lambda: on.seat().hung)
        assert not on.seat().quiet
        on.fakes[0].tell(answer_to(job))
        assert isinstance(await call.end(), Answer)


async def test_waiting_for_a_hung_worker_ends():
    async with scene(credit=1, ping_s=0.2, base_s=0.1) as on:
        flying = on.ask()
        assert await flying.end() == Missed("deadline")
        waiting = on.ask(bytes(20_000_000))
        await until(lambda: on.pool.statistics().waiting == 1)
        assert await waiting.end() == Missed("no_worker")


async def test_a_death_sends_the_job_to_another_worker_once():
    async with scene(workers=2) as on:
        call = on.ask(session=b"a")
        await on.fakes[0].hear()
        on.fakes[0].close()
        job = await on.fakes[1].hear()
        on.fakes[1].tell(answer_to(job))
        assert isinstance(await call.end(), Answer)
        counted = on.pool.statistics()
        assert (counted.retried, counted.workers[0].deaths, counted.workers[0].up) == (1, 1, False)


async def test_a_job_that_kills_two_workers_is_left_alone():
    async with scene(workers=3) as on:
        call = on.ask(session=b"a")
        await on.fakes[0].hear()
        on.fakes[0].close()
        await on.fakes[1].hear()
        on.fakes[1].close()
        assert await call.end() == Missed("died")
        assert [worker.jobs for worker in on.pool.statistics().workers] == [1, 1, 0]


async def test_the_only_workers_death_is_a_miss_at_once():
    async with scene(base_s=60, ping_s=60) as on:
        flying, queued = on.ask(b"1"), None
        await on.fakes[0].hear()
        second = on.ask(b"2")
        await on.fakes[0].hear()
        queued = on.ask(b"3")
        await until(lambda: on.pool.statistics().waiting == 1)
        on.fakes[0].close()
        assert await flying.end() == Missed("died")
        assert await second.end() == Missed("died")
        assert await queued.end() == Missed("no_worker")


async def test_a_second_try_may_wait_for_the_other_worker_but_not_for_the_first():
    async with scene(workers=2, credit=1) as on:
        first, second = on.ask(b"1"), on.ask(b"2")
        jobs = [await on.fakes[0].hear(), await on.fakes[1].hear()]
        on.fakes[0].close()
        await until(lambda: on.pool.statistics().waiting == 1)
        on.fakes[0] = FakeWorker(on.pool._settings.paths.worker_sock(0))
        await until(lambda: on.seat(0).up)
        assert on.pool.statistics().waiting == 1
        on.fakes[1].tell(answer_to(jobs[1]))
        again = await on.fakes[1].hear()
        assert again.body == jobs[0].body
        on.fakes[1].tell(answer_to(again))
        assert isinstance(await first.end(), Answer)
        assert isinstance(await second.end(), Answer)


async def test_a_worker_that_comes_back_is_used_again():
    async with scene() as on:
        on.fakes[0].close()
        await until(lambda: not on.seat().up)
        assert await on.ask().end() == Missed("no_worker")
        on.fakes[0] = FakeWorker(on.pool._settings.paths.worker_sock(0))
        await until(lambda: on.seat().up)
        call = on.ask()
        on.fakes[0].tell(answer_to(await on.fakes[0].hear()))
        assert isinstance(await call.end(), Answer)


async def test_a_waiting_job_goes_to_whoever_comes_up():
    async with scene(workers=2, credit=1) as on:
        on.fakes[1].close()
        await until(lambda: not on.seat(1).up)
        on.ask()
        await on.fakes[0].hear()
        on.ask(b"waiting")
        await until(lambda: on.pool.statistics().waiting == 1)
        on.fakes[1] = FakeWorker(on.pool._settings.paths.worker_sock(1))
        assert (await on.fakes[1].hear()).body == b"waiting"


async def test_a_death_told_late_does_not_end_the_jobs_of_the_next_connection():
    """The front looks elsewhere while a worker dies and comes up again; then it asks before its tasks read the news."""
    async with scene() as on:
        on.fakes[0].close()
        time.sleep(0.05)  # noqa: ASYNC251 the blindness is the test
        fake = on.fakes[0] = FakeWorker(on.pool._settings.paths.worker_sock(0))
        time.sleep(0.3)  # noqa: ASYNC251 the same; connecting again takes 20 to 40 ms

        async def reply() -> None:
            fake.tell(answer_to(await fake.hear()))

        on.nursery.start_soon(reply)
        assert isinstance(await on.pool.ask(JOB, b"x", b"s"), Answer)
        assert on.seat().deaths == 1


async def test_a_job_no_frame_can_hold_is_a_miss():
    async with scene() as on:
        bad = JOB.__class__(JOB.format, JOB.policy.__class__(passes=("\ud800",)), ())
        assert await on.pool.ask(bad, b"x", b"s") == Missed("garbled")
        assert on.seat().in_flight == 0


async def test_leaving_the_pool_answers_whoever_still_asks():
    with instance(1, job_base_s=5) as settings, fake_workers(settings) as fakes:
        call = Call()
        async with trio.open_nursery() as nursery:
            async with WorkerPool(settings) as pool:
                await until(lambda: pool.statistics().workers[0].up)
                nursery.start_soon(call.run, pool, b"x", b"s", b"")
                await fakes[0].hear()
            assert await call.end() == Missed("no_worker")


async def test_an_error_inside_leaves_as_it_is():
    class OurError(Exception):
        pass

    with instance(1) as settings, pytest.raises(OurError):
        async with WorkerPool(settings):
            raise OurError


async def test_every_count_adds_up_over_a_storm():
    async with scene(workers=2, base_s=0.5, ping_s=0.02, waiting=8) as on:

        async def work(fake: FakeWorker) -> None:
            while True:
                message = await fake.hear_any()
                match message:
                    case JobMessage(number) if number % 5 == 0:
                        fake.say(b"noise")
                        fake.tell(answer_to(message))
                    case JobMessage(number) if number % 7 == 0:
                        fake.tell(RefusalMessage(number, "failed"))
                    case JobMessage(number) if number % 11 == 0:
                        pass  # lost
                    case JobMessage():
                        fake.tell(answer_to(message))
                    case PingMessage(number):
                        fake.tell(PongMessage(number, VITALS))

        for fake in on.fakes:
            on.nursery.start_soon(work, fake)
        calls = []
        for number in range(300):
            calls.append(on.ask(b"x", b"%d" % (number % 9)))
            if number % 13 == 0:
                calls[-1].scope.cancel()
            if number % 4 == 0:
                await trio.sleep(0.002)
        for call in calls:
            await call.end()
        await until(lambda: all(worker.in_flight == 0 for worker in on.pool.statistics().workers))
        counted = on.pool.statistics()
        assert counted.asked == counted.answered + sum(counted.missed.values()) + counted.left
        assert counted.answered > 100
        assert counted.lost > 0
        assert counted.waiting == 0
