from hypothesis import given
from hypothesis import strategies as st

from tokenpak.services.occupancy import Full, Occupancy, Place

NAMES = st.sampled_from(["a", "b", None])
LIMITS = st.none() | st.integers(1, 3)


def test_without_limits_everybody_comes_in():
    free = Occupancy(None, None)
    assert all(isinstance(free.enter("a", "s"), Place) for _ in range(1000))
    assert free.statistics().refused == {}


def test_a_client_is_told_its_limit_and_may_come_again():
    two = Occupancy(2, None)
    first, _ = two.enter("a", "s"), two.enter("a", "t")
    assert two.enter("a", "u") == Full("client", 2)
    assert isinstance(two.enter("b", "s"), Place)
    two.leave(first)
    assert isinstance(two.enter("a", "u"), Place)
    assert two.statistics().refused == {"client": 1}


def test_a_session_is_its_clients_own():
    one = Occupancy(None, 1)
    one.enter("a", "s")
    assert one.enter("a", "s") == Full("session", 1)
    assert isinstance(one.enter("b", "s"), Place)
    assert isinstance(one.enter("a", None), Place)


def test_whoever_is_refused_takes_nothing():
    occupancy = Occupancy(9, 1)
    place = occupancy.enter("a", "s")
    occupancy.enter("a", "s")
    occupancy.leave(place)
    assert (occupancy.statistics().clients, occupancy.statistics().sessions) == (0, 0)


@given(LIMITS, LIMITS, st.lists(st.tuples(NAMES, NAMES) | st.integers(0, 9), max_size=60))
def test_no_limit_is_passed_no_place_denied_and_nobody_remembered(per_client, per_session, steps):
    occupancy, inside = Occupancy(per_client, per_session), []
    for step in steps:
        if isinstance(step, int):
            if inside:
                occupancy.leave(inside.pop(step % len(inside)))
            continue
        client, session = step
        clients = sum(place.client == client for place in inside)
        sessions = sum((place.client, place.session) == step for place in inside)
        by_client = client is not None and per_client is not None and clients >= per_client
        by_session = session is not None and per_session is not None and sessions >= per_session
        found = occupancy.enter(client, session)
        assert isinstance(found, Full) == (by_client or by_session)
        if isinstance(found, Place):
            inside.append(found)
    for place in inside:
        occupancy.leave(place)
    assert (occupancy.statistics().clients, occupancy.statistics().sessions) == (0, 0)
