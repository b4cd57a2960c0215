"""Integrate, and be killed before the n-th step that touches the disk, for every n; then look whether an undo leads back.

Run as a program, since each attempt is a fork that ends without any clean-up. Prints a JSON list of what went wrong, and how
many steps there were.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from tests.integrations.house import OTHER_PORT, TEXTS, House

TOUCHING = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR
KILLED = 9


def kill_before(step):
    left = [step]

    def hook(event, arguments):
        if event in TOUCHING or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            left[0] -= 1
            if left[0] <= 0:
                os._exit(KILLED)

    sys.addaudithook(hook)


def attempt(action, step):
    """Whether the action was killed in a process of its own."""
    child = os.fork()
    if child == 0:
        kill_before(step)
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def scenes(place):
    """Names, and how to prepare a house and what is then killed."""
    for client in ("claude-code", "codex"):
        yield f"{client} applied", client, lambda h, c: h.put(c, TEXTS[c]), lambda h, c: h.apply(c)
        yield f"{client} made", client, lambda h, c: None, lambda h, c: h.apply(c)
        yield f"{client} other port", client, prepared, lambda h, c: h.apply(c, OTHER_PORT)
        yield f"{client} other port, changed", client, changed, lambda h, c: h.apply(c, OTHER_PORT)
        yield f"{client} undone", client, prepared, lambda h, c: h.undo(c)
        yield f"{client} unmade", client, lambda h, c: h.apply(c), lambda h, c: h.undo(c)


def prepared(house, client):
    house.put(client, TEXTS[client])
    house.apply(client)


def changed(house, client):
    prepared(house, client)
    file = house.file(client)
    file.write_text(file.read_text() + ("\n" if client == "claude-code" else "# more\n"))


def main(place):
    wrong, steps = [], 0
    for name, client, prepare, action in scenes(place):
        for again in (False, True):
            step, killed = 0, True
            while killed:
                step += 1
                house = fresh(place)
                prepare(house, client)
                before = wanted(house, client)
                killed = attempt(lambda h=house, a=action, c=client: a(h, c), step)
                if again:
                    house.apply(client)
                outcome = house.undo(client)
                if house.tree() != before or outcome.kind == "failed":
                    wrong.append((name, again, step, outcome.words))
            steps += step - 1
    print(json.dumps({"wrong": wrong, "steps": steps}))


def fresh(place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return House(place)


def wanted(house, client):
    """What the home directory must be in the end: as it is, without what TokenPak put there."""
    twin = dict(house.tree())
    name = str(house.file(client).relative_to(house.home))
    if name not in twin:
        return twin
    if not house.paths.integrations.exists():
        return twin
    from tokenpak.integrations import journal

    entry = journal.entry_of(house.paths, client)
    if not entry.existed:
        return {}
    ending = ("\n" if client == "claude-code" else "# more\n") if entry.holding(twin[name]) is None else ""
    return {**twin, name: (TEXTS[client] + ending).encode()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
