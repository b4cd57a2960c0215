from tests.integrations.house import House
from tokenpak.integrations.cursor import REASON


def test_it_says_why_not_and_offers_no_tunnel(tmp_path):
    house = House(tmp_path)
    for outcome in (house.preview("cursor"), house.apply("cursor")):
        assert (outcome.kind, outcome.words, outcome.steps) == ("refused", REASON, ())
    assert "127.0.0.1" in REASON
    assert "no tunnel" in REASON
    assert house.tree() == {}
