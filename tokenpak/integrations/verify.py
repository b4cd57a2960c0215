"""Whether the address a client is set to is answered by TokenPak: asked there, as the client would.

Nothing is asked of an address that is not on this machine: it belongs to somebody else.
"""

import msgspec

from tokenpak.integrations.addresses import is_loopback, origin, same_place
from tokenpak.integrations.integration import Integration
from tokenpak.integrations.machine import Machine
from tokenpak.integrations.overview import Configured, pointed
from tokenpak.ipc.probe import answer_of

ASK_S = 3.0
ALIVE = (200, b"ok\n")


class Verdict(msgspec.Struct, frozen=True):
    """On one base URL of a client. words: what is so, and if it is wrong, what to do."""

    client: str
    well: bool
    words: str
    url: str | None = None
    where: str | None = None


def verify(integration: Integration, machine: Machine, root: str) -> tuple[Verdict, ...]:
    """A verdict on every base URL that counts. Raises CannotIntegrate for a file that cannot be read."""
    found = pointed(integration, machine)
    if not found:
        return (Verdict(integration.name, well=False, words=_unset(integration)),)
    return tuple(_judged(each, root) for each in found)


def _judged(found: Configured, root: str) -> Verdict:
    well, words = _words(found.url, root, found.client)
    return Verdict(found.client, well, words, found.url, found.where)


def _words(url: str, root: str, client: str) -> tuple[bool, str]:
    again = f"`tokenpak integrate {client} --apply` sets it"
    if origin(url) is None:
        return False, f"it is set to something that is not a URL of its own; {again}"
    if not is_loopback(url) and not same_place(url, root):
        return False, f"it calls {origin(url)}, which is not TokenPak; {again}"
    found = answer_of(origin(url) or "", "/livez", ASK_S)
    if found is None:
        return (
            False,
            f"nothing answers at {origin(url)}. Start TokenPak with `tokenpakctl start`, or take it out with --undo",
        )
    if found != ALIVE:
        return False, f"something answers at {origin(url)}, and it is not TokenPak (status {found[0]} for /livez)"
    if not same_place(url, root):
        return True, f"TokenPak answers at {origin(url)}, but this instance serves at {root}; {again}"
    return True, f"TokenPak answers at {origin(url)}"


def _unset(integration: Integration) -> str:
    if integration.place is not None:
        return f"its base URL is not set, so it calls its provider; `tokenpak integrate {integration.name} --apply` sets it"
    if integration.read_from:
        return f"{' and '.join(integration.read_from)} are not set in this shell; a base URL set in code cannot be seen from here"
    return "it has no base URL that could be looked at"
