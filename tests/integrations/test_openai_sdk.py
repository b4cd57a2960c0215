from tests.integrations.house import ROOT, House


def test_what_to_do_is_told_and_nothing_written(tmp_path):
    house = House(tmp_path)
    for outcome in (house.preview("openai-sdk"), house.apply("openai-sdk")):
        assert outcome.kind == "by_hand"
        assert any(ROOT in step for step in outcome.steps)
        assert any("verify openai-sdk" in step for step in outcome.steps)
    assert house.tree() == {}
    assert house.undo("openai-sdk").kind == "nothing"
