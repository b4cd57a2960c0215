import json

import pytest
from estimate_lab import working
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.cli.estimate import claude_code
from tokenpak.cli.estimate.head import LARGEST, counted, heads, sized, weight
from tokenpak.cli.estimate.turns import Turn
from tokenpak.core.body.model import IMAGE_SIZE
from tokenpak.core.usage import Usage


@given(
    factor=st.floats(0.8, 2.0),
    head=st.integers(1000, 60_000),
    grown=st.lists(st.integers(200, 6000), min_size=20, max_size=60),
)
def test_growth_tells_the_factor_and_what_is_left_the_head(factor, head, grown):
    size, told = 0, []
    for more in grown:
        size += more
        told.append((size, round(factor * (size + head))))
    assert heads({"main": told}).sizes["main"] == pytest.approx(head, abs=20)


def test_a_picture_bends_nothing():
    told = [(size, round(1.25 * (size + 20_000))) for size in range(1000, 60_000, 1000)]
    told[30] = (told[30][0], told[30][1] + 40_000)
    assert heads({"main": told}).sizes["main"] == pytest.approx(20_000, abs=50)


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ([(1000, 9000), (1100, 9100)], {"main": 8000}),  # nothing grows: a token is one by size
        ([(1000, 500)], {}),  # more is there than was counted
        ([(10, 900_000)], {"main": LARGEST}),
        ([(size, 5 * size + 1000) for size in range(1000, 12_000, 1000)], {"main": 25_000}),  # something else grew, too
        ([], {}),
    ],
)
def test_where_little_is_known(told, missing):
    assert heads({"main": told} if told else {}).sizes == missing


def test_a_conversation_has_its_own_head_and_the_files_factor():
    main = [(size, round(1.5 * (size + 20_000))) for size in range(1000, 60_000, 1000)]
    found = heads({"main": main, "agent a": [(2000, round(1.5 * 5000))]}).sizes
    assert found["agent a"] == pytest.approx(3000, abs=30)


def test_what_no_model_reads_as_text_has_no_weight():
    sealed = json.dumps({"type": "thinking", "thinking": "so", "signature": "A" * 5000}).encode()
    picture = json.dumps({"type": "image", "source": {"type": "base64", "data": "A" * 90_000}}).encode()
    assert weight(sealed) < 100
    assert IMAGE_SIZE < weight(picture) < IMAGE_SIZE + 100
    assert weight(b'{"text":"plain"}') == 16


def test_the_counts_of_a_turn():
    (turn, *_) = [each for each in claude_code.turns(working().raw(), "x") if isinstance(each, Turn)]
    assert counted(turn) == sum((turn.usage.uncached, turn.usage.cache_read, turn.usage.cache_write_5m))
    without = [each for each in claude_code.turns(working(usages=False).raw(), "x") if isinstance(each, Turn)]
    assert counted(without[0]) is None
    assert sized(without) == {}
    assert Usage() == Usage()
