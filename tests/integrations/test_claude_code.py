from tests.integrations.house import House
from tokenpak.integrations.claude_code import CLAUDE_CODE


def remarks(house):
    return " ".join(CLAUDE_CODE.remarks(house.machine, ""))


def test_its_directory_can_be_elsewhere(tmp_path):
    house = House(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "cc"))
    house.apply("claude-code")
    assert (tmp_path / "cc" / "settings.json").exists()
    assert house.tree() == {}


def test_what_else_decides_is_told(tmp_path):
    house = House(tmp_path, CLAUDE_CODE_USE_BEDROCK="1", ANTHROPIC_BASE_URL="http://a")
    local = tmp_path / ".claude" / "settings.local.json"
    local.parent.mkdir()
    local.write_text('{"env": {"ANTHROPIC_BASE_URL": "http://b"}}')
    told = remarks(house)
    assert "CLAUDE_CODE_USE_BEDROCK is set" in told
    assert "believes its settings file more" in told
    assert str(local) in told


def test_a_quiet_place_has_no_remarks(tmp_path):
    house = House(tmp_path)
    assert remarks(house) == ""
    house.apply("claude-code")
    at_home = house.machine._replace(here=house.home)
    assert CLAUDE_CODE.remarks(at_home, "") == ()
