from tests.integrations.house import House
from tokenpak.integrations.gemini_cli import GEMINI_CLI


def test_a_new_file_does_not_hide_the_one_that_holds_the_key(tmp_path):
    house = House(tmp_path)
    shared = house.home / ".env"
    shared.write_text("GEMINI_API_KEY=k\n")
    house.apply("gemini-cli")
    assert not house.file("gemini-cli").exists()
    assert shared.read_text() == "GEMINI_API_KEY=k\nGOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8766\n"
    house.undo("gemini-cli")
    assert shared.read_text() == "GEMINI_API_KEY=k\n"


def test_its_own_file_comes_first(tmp_path):
    house = House(tmp_path)
    (house.home / ".env").write_text("A=1\n")
    house.put("gemini-cli", "B=1\n")
    house.apply("gemini-cli")
    assert "GOOGLE" in house.file("gemini-cli").read_text()
    assert (house.home / ".env").read_text() == "A=1\n"


def test_a_login_with_an_account_is_told(tmp_path):
    house = House(tmp_path)
    settings = house.home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    for text, told in [
        ('{"security": {"auth": {"selectedType": "oauth-personal"}}}', 1),
        ('{"security": {"auth": {"selectedType": "gemini-api-key"}}}', 0),
        ("// c\n{}", 0),
    ]:
        settings.write_text(text)
        assert len(GEMINI_CLI.remarks(house.machine, "")) == told


def test_a_file_of_the_project_that_is_read_instead_is_told(tmp_path):
    house = House(tmp_path)
    (tmp_path / ".env").write_text("A=1\n")
    below = house.machine._replace(here=tmp_path / "a" / "b")
    assert str(tmp_path / ".env") in " ".join(GEMINI_CLI.remarks(below, ""))
    at_home = house.machine._replace(here=house.home)
    assert GEMINI_CLI.remarks(at_home, "") == ()
