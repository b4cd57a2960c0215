"""The front's side of the cache: who gets what from where, and what leaves for the writer."""

import time

import pytest
import trio
import zmq
from response_lab import frame, key, stored

from tests.worker_lab import instance
from tokenpak.config.paths import paths_for
from tokenpak.core.recall import Asked, Bounds
from tokenpak.core.rules import Rule
from tokenpak.ipc import endpoints
from tokenpak.ipc.response_frames import TAKEN, unpack_answer
from tokenpak.services import response_cache
from tokenpak.services.response_cache import ResponseCache, Ticket, is_wanted
from tokenpak.telemetry.response_store import ResponseStore

ON = Rule(response_cache=True)
BODY = b'{"model":"m","messages":[]}'
LINES = ((b"x-api-key", b"k"),)


def asked(*lines, body=BODY):
    return Asked("POST", "anthropic", b"https://h/v1/messages", (*LINES, *lines), body)


class Clock:
    def __init__(self):
        self.now_s = time.time() + 1  # answers are made behind it

    def __call__(self):
        return int(self.now_s * 1e9)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    return lambda *rules, **bounds: ResponseCache(rules or (ON,), Bounds(**bounds), paths_for(tmp_path), clock)


def ticket(cache, *lines, body=BODY, client="codex"):
    return cache.ask("messages", asked(*lines, body=body), body, client)


def test_nothing_is_wanted_or_made_where_no_rule_asks_for_it(make, tmp_path):
    cache = make(Rule(level="off"), Rule(response_cache=False))
    assert not cache.wants("codex")
    assert ticket(cache) is None
    assert cache.statistics()["on"] is False
    assert list(tmp_path.iterdir()) == []
    assert (is_wanted((Rule(single_flight=True),)), is_wanted((ON,))) == (False, True)


def test_rules_choose_by_client_and_model_and_the_last_one_counts(make):
    cache = make(
        Rule(client="codex", response_cache=True, response_cache_s=60),
        Rule(model="m-live*", response_cache=False),
        Rule(model="m-slow", single_flight=True, response_cache_s=10**6),
    )
    assert (cache.wants("codex"), cache.wants("cline"), cache.wants(None)) == (True, False, False)
    assert ticket(cache, client="cline") is None
    assert ticket(cache, body=b'{"model":"m-live-1"}') is None
    one = ticket(cache)
    assert (one.age_s, one.single, one.reads) == (60, False, True)
    slow = ticket(cache, body=b'{"model":"m-slow"}')
    assert (slow.age_s, slow.single) == (86_400, True)


def test_a_clients_word_counts(make):
    cache = make()
    assert ticket(cache, (b"cache-control", b"no-store")) is None
    assert ticket(cache, (b"cache-control", b"no-cache")).reads is False
    assert ticket(cache, (b"cache-control", b"max-age=5")).age_s == 5


def test_what_is_barred_is_counted_by_its_reason(make):
    cache = make()
    assert cache.ask("responses", asked(), BODY, None) is None
    assert ticket(cache, body=b"[]") is None
    assert cache.statistics()["barred"] == {"stored_by_provider": 1, "unreadable": 1}


def test_the_key_outlives_the_process_and_is_this_installations(make, tmp_path):
    assert ticket(make()).key == ticket(make()).key
    paths_for(tmp_path).responses_key.unlink()
    assert ticket(make()).key != ticket(ResponseCache((ON,), Bounds(), paths_for(tmp_path / "other"), time.time_ns)).key


def given(number, *, single=False, age_s=100):
    return Ticket(key(number), age_s, reads=True, single=single)


async def test_an_answer_is_found_in_memory_until_it_is_too_old(make, clock):
    cache = make()
    one = given(1)
    assert await cache.find(one) is None
    answer = stored(1, b"a", b"b")
    cache.settle(one, answer)
    assert await cache.find(given(1)) is answer
    assert await cache.find(Ticket(key(1), 100, reads=False, single=False)) is None
    clock.now_s += 98
    assert await cache.find(given(1)) is answer
    assert await cache.find(given(1, age_s=50)) is None
    clock.now_s += 2
    assert await cache.find(given(1)) is None
    told = cache.statistics()
    assert (told["hits"], told["misses"], told["kept"]) == (2, 3, 1)


async def test_memory_is_bounded_by_bytes_and_what_was_not_used_goes_first(make, monkeypatch):
    monkeypatch.setattr(response_cache, "MEMORY_BYTES", 40_000)
    cache = make()
    for number in range(3):
        cache.settle(given(number), stored(number, b"x" * 10_000))
    assert await cache.find(given(0))
    for number in (3, 3):
        cache.settle(given(number), stored(number, b"x" * 10_000))
    found = [number for number in range(4) if await cache.find(given(number))]
    assert found == [0, 2, 3]
    assert cache.statistics()["held_bytes"] <= 40_000


async def test_what_another_process_stored_is_found_in_the_file(make, tmp_path, clock):
    store = ResponseStore(paths_for(tmp_path).responses, Bounds())
    store.put(frame(1, b"filed"))
    store.put(frame(2, b"old", at_s=clock.now_s - 300))
    store.close()
    cache = make()
    clock.now_s += 1
    assert (await cache.find(given(1))).pieces == (b"filed",)
    assert await cache.find(given(2)) is None
    paths_for(tmp_path).responses.unlink()
    assert (await cache.find(given(1))).pieces == (b"filed",)


async def test_a_damaged_file_is_a_miss(make, tmp_path):
    cache = make()
    paths_for(tmp_path).responses.write_bytes(b"nothing of the kind" * 100)
    assert await cache.find(given(1)) is None
    assert cache.statistics()["damaged"] == 1


async def three_at_once(cache, single, outcome):
    """What the second and third of three identical requests got, when the first ends with `outcome`."""
    first, got = given(1, single=single), []

    async def follow():
        one = given(1, single=single)
        got.append(await cache.find(one))
        cache.settle(one, None)

    assert await cache.find(first) is None
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(follow)
        await trio.testing.wait_all_tasks_blocked(0.05)
        while_under_way = list(got)
        cache.settle(first, outcome)
    assert cache.statistics()["flights"] == 0
    return while_under_way, got


async def test_the_same_requests_wait_for_the_first_where_the_rule_says_so(make):
    answer = stored(1)
    cache = make()
    assert await three_at_once(cache, True, answer) == ([], [answer, answer])
    assert cache.statistics()["waited"] == 2


async def test_and_only_there(make):
    assert await three_at_once(make(), False, stored(1)) == ([None, None], [None, None])


async def test_when_the_first_brings_nothing_each_goes_on_by_itself(make):
    assert await three_at_once(make(), True, None) == ([], [None, None])


async def test_a_wait_is_bounded(make, autojump_clock):
    cache = make()
    await cache.find(given(1, single=True))
    began = trio.current_time()
    assert await cache.find(given(1, single=True)) is None
    assert trio.current_time() - began == pytest.approx(response_cache.FLIGHT_S)


async def test_what_the_file_holds_is_for_those_who_wait_too(make, tmp_path):
    cache = make()
    store = ResponseStore(paths_for(tmp_path).responses, Bounds())
    store.put(frame(1, b"filed"))
    store.close()
    got = []

    async def ask():
        got.append(await cache.find(given(1, single=True)))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
    assert [each.pieces for each in got] == [(b"filed",)] * 3
    assert cache.statistics()["flights"] == 0


class Writer:
    """The other end of the connection: takes what comes, says so only when told to."""

    def __init__(self, paths):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        endpoints.bind(self.socket, paths.responses_sock)
        self.peer = b""

    def take(self):
        """The next answer, None if none comes."""
        if not self.socket.poll(500):
            return None
        self.peer, taken = self.socket.recv_multipart()
        return unpack_answer(taken)

    def say(self):
        self.socket.send_multipart([self.peer, TAKEN])

    def close(self):
        self.socket.close(linger=0)
        self.context.term()


async def sent(cache, answer):
    """Keep an answer; True when it left for the writer."""
    before = cache.statistics()["sent"]
    cache.settle(given(1), answer)
    return cache.statistics()["sent"] > before


async def until_sent(cache, answer):
    with trio.fail_after(10):
        while not await sent(cache, answer):  # noqa: ASYNC110 the connection does not know of us
            await trio.sleep(0.01)


async def test_an_answer_goes_to_the_writer_and_only_so_many_unacknowledged(monkeypatch):
    monkeypatch.setattr(response_cache, "ON_THE_WAY", 2)
    with instance() as settings:
        writer = Writer(settings.paths)
        async with ResponseCache((ON,), Bounds(), settings.paths, time.time_ns) as cache:
            await until_sent(cache, stored(1, b"one"))
            assert await sent(cache, stored(2, b"two"))
            assert not await sent(cache, stored(3, b"three"))
            assert [(await trio.to_thread.run_sync(writer.take)).pieces for _ in range(2)] == [(b"one",), (b"two",)]
            writer.say()
            await until_sent(cache, stored(4, b"four"))
            assert (await trio.to_thread.run_sync(writer.take)).pieces == (b"four",)
        writer.close()


async def test_a_writer_that_died_owes_nothing(monkeypatch):
    monkeypatch.setattr(response_cache, "ON_THE_WAY", 1)
    with instance() as settings:
        writer = Writer(settings.paths)
        async with ResponseCache((ON,), Bounds(), settings.paths, time.time_ns) as cache:
            await until_sent(cache, stored(1))
            assert not await sent(cache, stored(2))
            writer.close()
            writer = Writer(settings.paths)
            await until_sent(cache, stored(3, b"three"))
            assert (await trio.to_thread.run_sync(writer.take)).pieces == (b"three",)
        writer.close()


async def test_an_answer_that_is_too_large_for_the_writer_is_not_sent():
    with instance() as settings:
        writer = Writer(settings.paths)
        async with ResponseCache((ON,), Bounds(max_entry_bytes=1024), settings.paths, time.time_ns) as cache:
            await until_sent(cache, stored(1))
            assert not await sent(cache, stored(2, *[b"x"] * 200_000))
        writer.close()


async def test_without_a_writer_answers_stay_in_memory_and_are_counted():
    with instance() as settings:
        async with ResponseCache((ON,), Bounds(), settings.paths, time.time_ns) as cache:
            cache.settle(given(1), stored(1))
            assert await cache.find(given(1))
            assert (cache.statistics()["sent"], cache.statistics()["unsent"]) == (0, 1)
