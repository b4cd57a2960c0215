"""The DEALER under trio: no message sleeps behind a swallowed edge, links are told, closing never hangs."""

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import trio
import zmq

from tokenpak.ipc import zmq_trio
from tokenpak.ipc.endpoints import address
from tokenpak.ipc.zmq_trio import HIGH_WATER, Dealer, Link


@pytest.fixture
def place() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tp-") as name:
        yield address(Path(name) / "a.sock")


class Router:
    """The far end, without trio."""

    def __init__(self, place: str, mark: int = HIGH_WATER) -> None:
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.RCVHWM, mark)
        self.socket.bind(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close(linger=0)


async def connected(dealer: Dealer) -> None:
    with trio.fail_after(5):
        links: list[Link] = []
        while Link.CONNECTED not in links:
            links += await dealer.wait_links()


async def test_a_message_goes_there_and_back(place):
    with Router(place) as router, Dealer(place) as dealer:
        await connected(dealer)
        assert dealer.send_nowait([b"a", b"", b"c"])
        router.socket.send_multipart(router.socket.recv_multipart())
        with trio.fail_after(5):
            assert await dealer.recv() == [b"a", b"", b"c"]
        counted = dealer.statistics()
        assert (counted.sent, counted.unsent, counted.received, counted.connects) == (1, 0, 1, 1)


async def test_without_a_peer_nothing_is_sent_or_kept(place):
    with Dealer(place) as dealer:
        assert not dealer.send_nowait([b"lost"])
        with Router(place) as router:
            await connected(dealer)
            assert not router.socket.poll(20)
        assert dealer.statistics().unsent == 1


async def test_a_send_right_after_connected_goes_out(place):
    for _ in range(20):
        with Router(place), Dealer(place) as dealer:
            await connected(dealer)
            assert dealer.send_nowait([b"x"])


async def test_a_peer_that_goes_is_told_and_a_new_one_too(place):
    with Dealer(place) as dealer:
        with Router(place):
            await connected(dealer)
        with trio.fail_after(5):
            assert await dealer.wait_links() == [Link.DISCONNECTED]
        with Router(place):
            await connected(dealer)
            assert dealer.send_nowait([b"x"])
        counted = dealer.statistics()
        assert (counted.connects, counted.disconnects) == (2, 1)


async def test_links_are_told_once_without_waiting_too(place):
    with Dealer(place) as dealer:
        assert dealer.links_nowait() == []
        with Router(place), trio.fail_after(5):
            while not (links := dealer.links_nowait()):  # noqa: ASYNC110 the call without waiting is the test
                await trio.sleep(0.001)
            assert links == [Link.CONNECTED]
            assert dealer.links_nowait() == []


async def test_a_peer_that_does_not_speak_zmq_is_no_connection(place):
    with trio.socket.socket(trio.socket.AF_UNIX) as listener:
        await listener.bind(place.removeprefix("ipc://"))
        listener.listen()
        with Dealer(place) as dealer, trio.fail_after(5):
            stranger, _ = await listener.accept()
            with stranger:
                await stranger.recv(10)
                await stranger.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            again, _ = await listener.accept()
            with again:
                assert Link.CONNECTED not in dealer.links_nowait()
                assert not dealer.send_nowait([b"x"])


async def test_a_full_queue_is_a_no_at_once(place):
    with Router(place, mark=1), Dealer(place) as dealer:
        await connected(dealer)
        big = bytes(1 << 20)
        accepted = 0
        while dealer.send_nowait([big]) and accepted < 20 * HIGH_WATER:
            accepted += 1
        assert HIGH_WATER // 2 <= accepted < 5 * HIGH_WATER


def echo(place: str, stop: threading.Event) -> None:
    with Router(place) as router:
        while not stop.is_set():
            if router.socket.poll(20):
                router.socket.send_multipart(router.socket.recv_multipart())


async def test_no_echo_is_lost_while_many_tasks_send(place):
    """The edge of the descriptor is swallowed by sends all the time here: a reader that trusts it would hang."""
    stop, total, random_ = threading.Event(), 3000, random.Random(1)
    thread = threading.Thread(target=echo, args=(place, stop))
    thread.start()
    seen: set[bytes] = set()
    try:
        with Dealer(place) as dealer, trio.fail_after(30):
            await connected(dealer)
            room = trio.CapacityLimiter(20)  # zmq tells of read messages by halves of the mark

            async def one(number: int) -> None:
                payload = b"%d:" % number + bytes(random_.choice((10, 1000, 100_000)))
                await room.acquire_on_behalf_of(payload)
                assert dealer.send_nowait([payload])

            async def reader() -> None:
                while len(seen) < total:
                    (payload,) = await dealer.recv()
                    seen.add(payload[:8])
                    room.release_on_behalf_of(payload)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(reader)
                for number in range(total):
                    nursery.start_soon(one, number)
    finally:
        stop.set()
        thread.join()
    assert len(seen) == total


async def test_a_send_wakes_the_reader_whose_edge_it_swallowed(place):
    with Router(place) as router, Dealer(place) as dealer:
        await connected(dealer)
        assert dealer.send_nowait([b"first"])
        peer, _ = router.socket.recv_multipart()
        got: list[list[bytes]] = []

        async def read() -> None:
            got.append(await dealer.recv())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            router.socket.send_multipart([peer, b"answer"])
            time.sleep(0.05)  # noqa: ASYNC251 the answer arrives while trio looks elsewhere
            assert dealer.send_nowait([b"second"])
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            assert got == [[b"answer"]]


async def test_one_reader_only(place):
    with Dealer(place) as dealer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dealer.recv)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError, match="already reads"):
                await dealer.recv()
            nursery.cancel_scope.cancel()


async def test_a_cancelled_reader_loses_nothing(place):
    with Router(place) as router, Dealer(place) as dealer:
        await connected(dealer)
        dealer.send_nowait([b"x"])
        message = router.socket.recv_multipart()
        with trio.move_on_after(0.01):
            await dealer.recv()
        router.socket.send_multipart(message)
        with trio.CancelScope() as cancelled:
            cancelled.cancel()
            await dealer.recv()
        assert cancelled.cancelled_caught
        with trio.fail_after(5):
            assert await dealer.recv() == [b"x"]


async def test_a_cancelled_reader_takes_nothing_that_arrives_between_two_looks(place, monkeypatch):
    with Router(place) as router, Dealer(place) as dealer:
        await connected(dealer)
        dealer.send_nowait([b"x"])
        router.socket.send_multipart(router.socket.recv_multipart())
        look = zmq_trio._events
        with trio.fail_after(5):
            while not look(dealer._socket) & zmq.POLLIN:
                await trio.lowlevel.checkpoint()
        first_look = iter([True])  # finds nothing: the message comes right after it
        monkeypatch.setattr(zmq_trio, "_events", lambda socket: 0 if next(first_look, False) else look(socket))
        with trio.CancelScope() as cancelled:
            cancelled.cancel()
            await dealer.recv()
        assert cancelled.cancelled_caught
        with trio.fail_after(5):
            assert await dealer.recv() == [b"x"]


async def test_closing_ends_every_wait(place):
    ended: list[str] = []

    async def expect_closed(name: str) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await getattr(dealer, name)()
        ended.append(name)

    dealer = Dealer(place)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_closed, "recv")
            nursery.start_soon(expect_closed, "wait_links")
            await trio.testing.wait_all_tasks_blocked()
            dealer.close()
    dealer.close()
    assert sorted(ended) == ["recv", "wait_links"]
    for call in (lambda: dealer.send_nowait([b"x"]), dealer.links_nowait):
        with pytest.raises(trio.ClosedResourceError):
            call()


async def test_closing_with_much_unsent_does_not_wait(place):
    with Router(place), Dealer(place) as dealer:
        await connected(dealer)
        while dealer.send_nowait([bytes(1 << 20)]):
            pass
        before = time.monotonic()
    assert time.monotonic() - before < 1


async def test_only_local_sockets():
    with pytest.raises(ValueError, match="ipc://"):
        Dealer("tcp://127.0.0.1:1")
