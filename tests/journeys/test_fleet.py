"""Sixty-four agents on one service, fifty turns each of recorded sessions, at once: what gets lost, and who waits for whom.

Eight of them are big: each plays the last turns of two of the largest sessions joined to one conversation, a megabyte or
two in every body. The others play sessions from their beginning. Several agents play the same session, each as its own:
all texts of a user or a tool say whose they are, so that to the service they are different ones, new work each.

An answer takes two seconds, as a model's would; without that, all of them do nothing but press. What a small agent notices
of the big ones is printed, not asserted: it depends on what else the machine does. Asserted is the order, which does not.
For that the workers have all the time they want, so that no answer is given up; the big ones flood them with conversations
they have never seen; and the wait in line of the small ones is set against that of the big ones in the same rows. In one
line for all, first come, first served, both wait for the same things and the quotient is one.
"""

import itertools
import json
import math
import os
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest
import trio

from tests.journeys.agents import Agent, BrokenError
from tests.journeys.service import eventually, provider, service
from tests.journeys.storm import Noticed
from tests.shared_place import shared
from tokenpak.cli.demonstration.replay import Recording, anthropic_body, chat_body, responses_body
from tokenpak.config.paths import paths_for
from tokenpak.control.health import front_statistics
from tokenpak.core.patch import Format

SMALL, BIG = 56, 8
TURNS = int(os.environ.get("TOKENPAK_FLEET_TURNS") or 50)
MEGABYTE = 1_000_000
LARGEST = 6
"""Sessions that are kept for the big ones."""
JOINED = 4
"""So many conversations of two joined sessions there are, of different size."""
FAN = 4
"""Requests that a flooding agent has under way at a time, as one with sub-agents has."""
FLOODED_TURNS = 5
PATIENT = {"TOKENPAK_JOB_BASE_S": "100"}

WIRES = {
    Format.ANTHROPIC: ("/v1/messages?beta=true", anthropic_body, "x-claude-code-session-id"),
    Format.OPENAI_RESPONSES: ("/v1/responses", responses_body, "session_id"),
    Format.OPENAI_CHAT: ("/v1/chat/completions", chat_body, "x-session-id"),
}


class Turn(NamedTuple):
    """A request of a session, as its client sends it."""

    path: str
    header: str
    body: bytes


class Script(NamedTuple):
    """A recorded session in the format its client speaks, played from turn `first` on."""

    recording: Recording
    format: Format
    first: int = 0

    def turns(self, name: str) -> Iterator[Turn]:
        """For ever: after its last turn the session begins anew, as another one."""
        path, build, header = WIRES[self.format]
        for lap in itertools.count():
            own = named(self.recording, f"{name}.{lap}")
            for end in own.turn_ends[self.first :]:
                yield Turn(path, header, json.dumps(build(own, own.messages[: end + 1])).encode())

    def unseen(self, name: str) -> Iterator[Turn]:
        """Its last turn, again and again, each time as that of another conversation, which no worker has seen."""
        last = self._replace(first=len(self.recording.turn_ends) - 1)
        return (next(last.turns(f"{name}.{number}")) for number in itertools.count())


def named(recording, name):
    """The session as another agent would have it: each text of a user or a tool says whose it is."""
    messages = [
        {**message, "content": signed(message["content"], name)} if message["role"] in {"user", "tool"} else message
        for message in recording.messages
    ]
    return msgspec.structs.replace(recording, messages=messages)


def signed(content, name):
    match content:
        case str():
            return f"{content}\n[{name}]"
        case list():
            return [signed(part, name) for part in content]
        case {"type": "text", "text": text}:
            return {**content, "text": signed(text, name)}
        case {"type": "tool_result", "content": within}:
            return {**content, "content": signed(within, name)}
        case _:
            return content


def joined(one, other):
    """One conversation of two; the second goes on where the first ended."""
    rest = [message for message in other.messages if message["role"] not in {"system", "developer"}]
    gone = len(other.messages) - len(rest)
    ends = [len(one.messages) + end - gone for end in other.turn_ends]
    return msgspec.structs.replace(one, messages=one.messages + rest, turn_ends=one.turn_ends + ends)


def scripts():
    """The small ones' sessions, the big ones', and the largest as they are, each just below what counts as large."""
    found = []
    for path in sorted((shared() / "corpus" / "dev").glob("*.json")):
        recording = msgspec.json.decode(path.read_bytes(), type=Recording)
        chat = Format.OPENAI_RESPONSES if (recording.agent or "").startswith("Codex") else Format.OPENAI_CHAT
        found.append(
            (path.stat().st_size, Script(recording, Format.ANTHROPIC if recording.format == "anthropic" else chat))
        )
    found.sort(key=lambda each: each[0])
    claude = [script.recording for _, script in found if script.format is Format.ANTHROPIC]
    pairs = [joined(claude[-1 - number], claude[-2 - number]) for number in range(JOINED)]
    return (
        [script for _, script in found[:-LARGEST]],
        [late(pair) for pair in pairs],
        [Script(one, Format.ANTHROPIC) for one in claude[-JOINED:]],
    )


def late(recording):
    """The last turns of a session."""
    return Script(recording, Format.ANTHROPIC, max(0, len(recording.turn_ends) - TURNS))


class Fleet:
    """Agents under way together, and what they noticed. The names of a kind of agents begin alike."""

    def __init__(self, port):
        self._port, self.noticed = port, Noticed()
        self.seconds, self.sizes = defaultdict(list), Counter()  # by kind: end to end, of each request; bytes of bodies

    async def play(self, kind, crew, count, turns):
        """So many agents, each so many turns of one of the crew's sessions."""
        async with trio.open_nursery() as nursery:
            for number in range(count):
                name = f"{kind}-{number}"
                script = crew[number % len(crew)].turns(name)
                nursery.start_soon(self._play, kind, name, itertools.islice(script, turns))

    async def flood(self, kind, crew, count, until):
        """So many agents, each with several requests under way at a time, of conversations never seen before."""

        async def one(name, script):
            await self._play(kind, name, itertools.takewhile(lambda _: not until.is_set(), script))

        async with trio.open_nursery() as nursery:
            for number, part in itertools.product(range(count), range(FAN)):
                nursery.start_soon(one, f"{kind}-{number}", crew[number % len(crew)].unseen(f"{kind}-{number}.{part}"))

    async def _play(self, kind, name, script):
        agent = Agent(self._port, deadline_s=300)
        for turn in script:
            began = trio.current_time()
            try:
                reply = await agent.post(turn.path, turn.body, {turn.header: name})
            except BrokenError as broken:
                self.noticed.errors[str(broken)] += 1
                continue
            self.seconds[kind].append(trio.current_time() - began)
            self.sizes[kind] += len(turn.body)
            if (reply.status, reply.complete) == (200, True):
                self.noticed.complete += 1
            else:
                self.noticed.errors[f"{reply.status} {reply.body[-200:]!r}"] += 1
        self.noticed.sent += agent.sent
        await agent.close()


def part(values, share):
    """The value that so large a share of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Seen(NamedTuple):
    """What the rows of some agents say. Milliseconds."""

    added: list[float]
    queued: list[float]
    ways: Counter

    @property
    def by_worker(self):
        """The share a worker answered, of what was asked of one."""
        asked = self.ways.total() - self.ways["literal below_floor"]
        return self.ways["worker"] / asked


def seen(running, kind):
    rows = running.rows("added_ms, queue_ms, compression, reason", f"session like '{kind}-%'")
    ways = Counter(f"{how} {why}" if why else how for _, _, how, why in rows)
    return Seen([added for added, *_ in rows], [queued for _, queued, *_ in rows if queued is not None], ways)


def told(upstream, **manner):
    """Tell the provider how to answer."""
    request = urllib.request.Request(upstream.url + "/__mock/manner", json.dumps(manner).encode())
    urllib.request.urlopen(request, timeout=5).close()


def settled(running, fleet):
    """Nothing lost: one row for each request, and each at its end. What the rows say of each kind of agents, printed."""

    def states():
        found = dict(running.rows("state, count(*)", "1 group by state"))
        return sum(found.values()) == fleet.noticed.sent and "open" not in found and found

    assert not fleet.noticed.errors
    assert set(eventually("the end of every row", states, 60)) == {"done"}
    assert fleet.noticed.complete == fleet.noticed.sent
    figures = {kind: seen(running, kind) for kind in fleet.seconds}
    pool = front_statistics(paths_for(running.state), 1)["pool"]
    print("\n" + "\n".join(line(kind, found, fleet) for kind, found in figures.items()))
    print({name: pool[name] for name in ("answered", "missed", "refused", "late", "waiting_peak")})
    return figures


def line(kind, figures, fleet):
    def both(values):
        return f"{part(values, 0.5):.0f}/{part(values, 0.99):.0f} ms"

    seconds = fleet.seconds[kind]
    return (
        f"{kind}: {len(seconds)} requests of {fleet.sizes[kind] / len(seconds) / 1e3:.0f} kB; p50/p99 in line "
        f"{both(figures.queued)}, added {both(figures.added)}, end to end {both([each * 1e3 for each in seconds])}; "
        f"{figures.by_worker:.0%} of what was asked of a worker: {dict(figures.ways)}"
    )


@pytest.mark.long
@pytest.mark.skipif(shared() is None, reason="plays the recorded sessions of the shared place")
def test_sixty_four_agents_lose_nothing(tmp_path):
    small, big, _ = scripts()
    with provider(tmp_path) as upstream, service(tmp_path, upstream.url) as running:
        told(upstream, pieces=20, interval_s=0.1)
        eventually("two workers", lambda: len(running.named("worker")) == 2)
        fleet = Fleet(running.port)

        async def main():
            await fleet.play("alone", small, SMALL, TURNS)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fleet.play, "beside", small, SMALL, TURNS)
                nursery.start_soon(fleet.play, "big", big, BIG, TURNS)

        trio.run(main)
        settled(running, fleet)
        assert fleet.noticed.complete == (2 * SMALL + BIG) * TURNS
        assert fleet.sizes["big"] > MEGABYTE * BIG * TURNS


@pytest.mark.long
@pytest.mark.skipif(shared() is None, reason="plays the recorded sessions of the shared place")
def test_small_agents_pass_the_big_ones_in_the_line(tmp_path):
    small, _, largest = scripts()
    with provider(tmp_path) as upstream, service(tmp_path, upstream.url, environ=PATIENT) as running:
        eventually("two workers", lambda: len(running.named("worker")) == 2)
        fleet = Fleet(running.port)

        async def main():
            over = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fleet.flood, "big", largest, BIG, over)
                flooded = lambda: len(running.rows("id")) > BIG * FAN  # noqa: E731 - it is asked for in a thread
                await trio.to_thread.run_sync(eventually, "the flood", flooded, 60)
                await fleet.play("small", small, SMALL, FLOODED_TURNS)
                over.set()

        trio.run(main)
        figures = settled(running, fleet)
        waits = [part(figures[kind].queued, 0.5) for kind in ("small", "big")]
        print(f"a small one waits for {waits[0] / waits[1]:.2f} of what a big one does")
        assert waits[0] < 0.5 * waits[1]
