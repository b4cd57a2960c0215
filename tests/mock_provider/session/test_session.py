"""The made-up session as a whole: what tests and the demo rely on."""

import json

import pytest

from tokenpak.mock_provider.session import STYLES, session


@pytest.mark.parametrize("style", STYLES)
def test_a_session_is_as_large_and_as_odd_as_a_real_one(style):
    made = session(11, style)
    raw = json.dumps(made.requests()[-1], ensure_ascii=False)
    assert 30 <= len(made.requests()) <= 45
    assert 130_000 <= len(raw.encode()) <= 240_000
    for odd in ("é", "→", "“", "\\\\", '\\"', "\\t", "日本"):
        assert odd in raw


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_makes_the_same_bytes(style):
    assert session(2, style).requests() == session(2, style).requests()
    assert session(2, style).requests() != session(3, style).requests()
    assert session(2, style).ident == f"made-up-{style}-2"


def test_bodies_do_not_share_what_may_be_changed():
    bodies = session(2).requests()
    bodies[0]["messages"].clear()
    assert bodies[1]["messages"]
