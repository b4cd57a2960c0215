"""The plan: how each block of a conversation was sent, by chain hash. As sent wins.

A plan is what makes decisions final. A block that has a form is sent in that form whatever the policy, the version or
the health of the workers; a block without one is decided now, and has one from then on.
"""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from tokenpak.core.patch import CHAIN_BYTES, Change, Form

Plan = Mapping[bytes, tuple[Change, ...]]
"""Chain hash -> the changes the block was sent with, () for literally."""

_ENCODER = msgspec.msgpack.Encoder()


def plan_of(forms: Iterable[Form]) -> Plan:
    """Forms by chain. Where a block has two, the first one was sent first, and wins."""
    plan: dict[bytes, tuple[Change, ...]] = {}
    for form in forms:
        plan.setdefault(form.chain, form.changes)
    return plan


def plan_hash_after(plan_hash: bytes, chain: bytes, changes: tuple[Change, ...]) -> bytes:
    """The hash over the forms of a request, one more block on. A literal block leaves it as it is."""
    if not changes:
        return plan_hash
    return hashlib.sha256(plan_hash + chain + _ENCODER.encode(changes)).digest()[:CHAIN_BYTES]


EMPTY_PLAN_HASH = bytes(CHAIN_BYTES)
"""The hash of a request in which every block is literal."""
