"""The gate behind the route: has the client a token, where tokens are asked for, and is it within its limits.

A half of `admit` that waits for the route, because a refusal has the shape of the provider the client asked. What is
taken here is given back when the exchange ends, whatever became of it.
"""

from collections.abc import Mapping
from typing import assert_never

from tokenpak.core.admit import TOKEN_HEADER, holder_of
from tokenpak.core.refusal import Refuse
from tokenpak.proxy.room import Room
from tokenpak.proxy.row import Course
from tokenpak.services.occupancy import Full, Place


def enter(room: Room, course: Course, values: Mapping[bytes, bytes]) -> Refuse | None:
    """None lets the request through. values: first value of each header, by lower-case name."""
    if room.tokens:
        course.holder = holder_of(values, room.tokens)
        if course.holder is None:
            shown = "it does not know the one that was sent" if TOKEN_HEADER in values else "none was sent"
            return Refuse("no_token", shown, course.provider)
    session = course.client.session if course.client else None
    match room.occupancy.enter(course.holder or course.caller, session):
        case Full(whose, most):
            return Refuse("too_many", f"{most} requests of this {whose} are under way", course.provider)
        case Place() as place:
            course.place = place
            return None
        case other:
            assert_never(other)


def leave(room: Room, course: Course) -> None:
    """The exchange has ended."""
    if course.place is not None:
        room.occupancy.leave(course.place)
