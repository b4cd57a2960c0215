"""The same hostile bytes to a provider directly and through the front, and what the front may not do with them.

The provider is the oracle: what it would have answered must not become an error of ours. What the front refuses by itself
(another host, a doubtful frame, too long a head) it must refuse with a 4xx that says so. Anything else has to come from
the provider, with the provider's status.
"""

import json
from collections import Counter
from dataclasses import dataclass, field

import trio
import wire

from tests.fuzz.mutator import Hostile, extent, hostile

PATIENCE_S = 60
"""An answer that takes longer is none. Two cores may be busy with other things."""

OURS = b"TokenPak: "
REFUSALS = frozenset({400, 403, 404, 426, 431, 501, 505})
"""What the front may say by itself about a request. 501 and 505: a coding, a version, that is not spoken."""


@dataclass
class Told:
    """status: None where the connection ended without an answer. ours: the front speaks for itself."""

    status: int | None
    ours: bool = False


@dataclass
class Outcome:
    """kinds: how often the front did what. wrong: cases in which it did what it may not, with the reason."""

    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    done: int = 0


class Patient(wire.Peer):
    """A client whose patience is that of its whole case, not of one look at the network."""

    async def more(self) -> bytes:
        data: bytes = await self.stream.receive_some(65536)
        self.rest += data
        return data


async def told(port: int, case: Hostile, whole: bool) -> Told:
    """What a client hears on a connection of its own."""
    client = Patient(await trio.open_tcp_stream("127.0.0.1", port))
    try:
        with trio.fail_after(PATIENCE_S):
            await client.send(case.data)
            if not whole:
                await client.stream.send_eof()
            reply = await client.message(bodiless=case.method == b"HEAD")
            while reply.status == 100:
                reply = await client.message(bodiless=case.method == b"HEAD")
        return Told(reply.status, OURS in reply.body or (case.method == b"HEAD" and reply.status in REFUSALS))
    except (wire.Broken, trio.BrokenResourceError):
        return Told(None)
    finally:
        client.reset()


async def fight(case: Hostile, direct: int, front: int) -> tuple[str, str | None]:
    """What became of one case, and why that is wrong, if it is."""
    reach = extent(case.data)
    by_front = await told(front, case, reach == "whole")
    by_provider = await told(direct, unmounted(case), reach == "whole")
    return judged(reach, by_front, by_provider)


def unmounted(case: Hostile) -> Hostile:
    """As the provider itself is called: without the mount, which is a word between client and front."""
    start, end, rest = case.data.partition(b"\n")
    for mount in (b" /anthropic/", b" /openai/"):
        start = start.replace(mount, b" /", 1)
    return case._replace(data=start + end + rest)


def judged(reach: str, by_front: Told, by_provider: Told) -> tuple[str, str | None]:
    """The kind of an outcome, and what is wrong with it."""
    answered = reach == "whole" and by_provider.status is not None
    if by_front.status is None:
        return f"{reach}: ended", "the provider answered, the front did not" if answered else None
    if by_front.ours:
        kind = f"{reach}: ours {by_front.status}"
        if by_front.status in REFUSALS:
            return kind, None
        return kind, f"ours {by_front.status} for {by_provider.status}" if answered else None
    if not answered:
        return f"{reach}: passed, provider silent", None
    if by_front.status != by_provider.status:
        return f"{reach}: differs", f"{by_front.status} for {by_provider.status}"
    return f"{reach}: as direct {by_front.status // 100}xx", None


async def rounds(seed: int, numbers: range, ends: tuple[int, int], at_once: int, outcome: Outcome) -> None:
    """The cases of these numbers, some at once. ends: the ports of provider and front."""
    left = iter(numbers)

    async def some() -> None:
        for number in left:
            case = hostile(seed, number)
            try:
                kind, wrong = await fight(case, *ends)
            except trio.TooSlowError:
                kind, wrong = "hung", f"no answer in {PATIENCE_S} s"
            outcome.kinds[kind] += 1
            outcome.done += 1
            if wrong is not None:
                outcome.wrong.append(json.dumps({"seed": seed, "number": number, "bent": case.bent, "wrong": wrong}))

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(some)
