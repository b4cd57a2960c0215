"""Plans: the first form wins, and the hash names what was sent."""

import msgspec

from tokenpak.core.patch import CHAIN_BYTES, Change, Form
from tokenpak.core.plan import EMPTY_PLAN_HASH, plan_hash_after, plan_of

ONE, TWO = Change(0, 0, 4, "x", "line-runs", 3), Change(0, 0, 4, "y", "line-runs", 3)


def test_the_first_form_wins():
    assert plan_of([Form(b"a", (ONE,)), Form(b"b"), Form(b"a", (TWO,)), Form(b"a"), Form(b"b", (TWO,))]) == {
        b"a": (ONE,),
        b"b": (),
    }
    assert plan_of([]) == {}


def test_the_hash_names_every_edited_form_and_its_place():
    after = plan_hash_after(EMPTY_PLAN_HASH, b"a", (ONE,))
    assert len(after) == CHAIN_BYTES
    others = [
        EMPTY_PLAN_HASH,
        plan_hash_after(EMPTY_PLAN_HASH, b"b", (ONE,)),
        plan_hash_after(EMPTY_PLAN_HASH, b"a", (TWO,)),
        plan_hash_after(EMPTY_PLAN_HASH, b"a", (ONE, TWO)),
        plan_hash_after(after, b"b", (ONE,)),
        plan_hash_after(plan_hash_after(EMPTY_PLAN_HASH, b"b", (ONE,)), b"a", (ONE,)),
    ]
    assert len({after, *others}) == len(others) + 1


def test_literal_blocks_leave_it():
    assert plan_hash_after(b"h", b"a", ()) == b"h"


def test_forms_travel():
    form = Form(bytes(16), (ONE, TWO))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(form), type=Form) == form
