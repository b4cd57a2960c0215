from tests.integrations.house import House
from tokenpak.integrations.aider import AIDER
from tokenpak.integrations.overview import pointed


def test_anthropic_needs_a_variable_which_is_told(tmp_path):
    assert any("ANTHROPIC_API_BASE" in note for note in House(tmp_path).apply("aider").notes)


def test_a_file_of_the_project_is_told(tmp_path):
    (tmp_path / ".aider.conf.yml").write_text("")
    assert any("is read too, and counts more" in note for note in House(tmp_path).apply("aider").notes)


def test_its_variable_is_seen(tmp_path):
    house = House(tmp_path, ANTHROPIC_API_BASE="http://127.0.0.1:8766")
    assert [each.where for each in pointed(AIDER, house.machine)] == ["$ANTHROPIC_API_BASE"]


def test_its_own_variable_counts_more(tmp_path):
    house = House(tmp_path, AIDER_OPENAI_API_BASE="http://a")
    assert any("AIDER_OPENAI_API_BASE is set in this shell" in note for note in house.apply("aider").notes)
