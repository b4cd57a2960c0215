"""Many agents at once, each with a conversation that grows turn by turn, and what all of them noticed."""

import json
from collections import Counter
from dataclasses import dataclass, field

import trio

from tests.journeys.agents import Agent, Break, BrokenError


@dataclass
class Noticed:
    """Requests sent, second tries on a closed connection included; how many ended well; the words of each error.

    breaks: the connections that ended in the middle of a request, those among the errors and those tried again.
    """

    sent: int = 0
    complete: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    breaks: list[Break] = field(default_factory=list)


def turns(name: str, bulk_lines: int, count: int) -> list[dict]:
    """A conversation of an agent that reads the same growing file over and over: later reads repeat earlier lines."""
    lines = [
        f"def function_{name}_{i}(argument_{i}): return argument_{i} * {i} + {i * 7 % 13}" for i in range(bulk_lines)
    ]
    messages: list[dict] = [{"role": "user", "content": f"Agent {name}: improve module.py step by step."}]
    bodies = []
    for turn in range(count):
        bodies.append(
            {
                "model": "claude-sonnet-4-5",
                "max_tokens": 256,
                "stream": True,
                "system": "You are a coding agent.",
                "tools": [{"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}}],
                "messages": json.loads(json.dumps(messages)),
            }
        )
        lines.insert(turn * 3 % len(lines), f"# changed by {name} in turn {turn}")
        shown = "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, 1))
        call = {
            "type": "tool_use",
            "id": f"toolu_{name}_{turn}",
            "name": "Read",
            "input": {"file_path": f"/r/{name}/module.py"},
        }
        result = {"type": "tool_result", "tool_use_id": f"toolu_{name}_{turn}", "content": shown}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return bodies


async def converse(port: int, bodies: list[dict], noticed: Noticed, pause_s: float = 0.0) -> None:
    """One agent: every turn of a conversation, on one connection."""
    agent = Agent(port)
    try:
        for body in bodies:
            try:
                reply = await agent.post("/v1/messages?beta=true", body)
            except BrokenError as broken:
                noticed.errors[str(broken)] += 1
                continue
            if reply.status == 200 and reply.complete:
                noticed.complete += 1
            else:
                noticed.errors[f"{reply.status} {reply.body[-200:]!r}"] += 1
            await trio.sleep(pause_s)
    finally:
        noticed.sent += agent.sent
        noticed.breaks += agent.breaks
        await agent.close()


async def storm(port: int, agents: int, until: trio.Event, noticed: Noticed, bulk_lines: int = 20) -> None:
    """`agents` agents that start conversation after conversation until told to stop; each ends the one it is in."""

    async def agent(number: int) -> None:
        lap = 0
        while not until.is_set():
            lines = bulk_lines * (20 if number % 10 == 0 else 1)  # every tenth agent has long files
            await converse(port, turns(f"{number}_{lap}", lines, 4), noticed)
            lap += 1

    async with trio.open_nursery() as nursery:
        for number in range(agents):
            nursery.start_soon(agent, number)
