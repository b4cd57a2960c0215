import gzip

import pytest
import trio

from tokenpak.proxy.body import IN_A_THREAD, Body, ClientGone, plain


def deliver(*events):
    left = list(events)

    async def receive():
        await trio.lowlevel.checkpoint()
        return left.pop(0)

    return receive


def piece(data, more=True):
    return {"type": "http.request", "body": data, "more_body": more}


GONE = {"type": "http.disconnect"}


async def uploaded(body):
    return [chunk async for chunk in body.upload()]


async def test_whole():
    body = Body(deliver(piece(b"ab"), piece(b""), piece(b"cd", False)))
    assert await body.whole(4) == b"abcd"
    assert body.size == 4


async def test_one_piece_is_not_copied():
    data = b"x" * 1000
    assert await Body(deliver(piece(data), piece(b"", False))).whole(1000) is data


async def test_none():
    assert await Body(deliver(piece(b"", False))).whole(10) == b""


async def test_a_body_found_too_large_is_uploaded_from_its_start():
    body = Body(deliver(piece(b"ab"), piece(b"cd"), piece(b"ef"), piece(b"", False)))
    assert await body.whole(3) is None
    assert await uploaded(body) == [b"ab", b"cd", b"ef"]
    assert body.size == 6


async def test_leaving_ends_the_wait_for_more():
    with pytest.raises(ClientGone):
        await Body(deliver(piece(b"ab"), GONE)).whole(9)
    with pytest.raises(ClientGone):
        await uploaded(Body(deliver(piece(b"ab"), GONE)))


async def test_gone_waits_for_the_body_and_then_for_the_client(autojump_clock):
    body = Body(deliver(piece(b"ab", False), GONE))
    left = trio.Event()

    async def watch():
        await body.gone()
        left.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.sleep(1)
        assert not left.is_set()
        await body.whole(9)
        with trio.fail_after(1):
            await left.wait()


async def test_gone_sees_a_client_leave_once_its_upload_is_over():
    body = Body(deliver(piece(b"ab"), piece(b"cd", False), GONE))
    assert await uploaded(body) == [b"ab", b"cd"]
    with trio.fail_after(1):
        await body.gone()


async def test_what_nobody_wants_any_more_is_let_go():
    body = Body(deliver(piece(b"ab"), piece(b"cd"), piece(b"ef", False), GONE))
    assert await body.piece() == b"ab"
    body.let_go()
    with trio.fail_after(1):
        await body.gone()


async def test_plain_is_the_same_object_without_a_coding():
    raw = b"{}"
    assert await plain(raw, None, 9) is raw
    assert await plain(raw, b"", 9) is raw


@pytest.mark.parametrize("size", [10, 40 * IN_A_THREAD])
async def test_plain_undoes_a_coding(size):
    text = bytes(range(256)) * (size // 10)
    raw = gzip.compress(text, 0)
    assert await plain(raw, b"gzip", len(text)) == text
    assert await plain(raw, b"gzip", len(text) - 1) is None
    assert await plain(raw[:-1], b"gzip", len(text)) is None
    assert await plain(raw, b"what", len(text)) is None
