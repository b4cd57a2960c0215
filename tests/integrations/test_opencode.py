from tests.integrations.house import House
from tokenpak.integrations.opencode import OPENCODE


def test_the_file_that_counts_is_the_one_written(tmp_path):
    house = House(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    folder = tmp_path / "xdg" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.json").write_text("{}")
    (folder / "opencode.jsonc").write_text("{} // mine\n")
    house.apply("opencode")
    assert (folder / "opencode.json").read_text() == "{}"
    assert "127.0.0.1:8766/v1" in (folder / "opencode.jsonc").read_text()


def test_a_file_of_the_project_is_told(tmp_path):
    (tmp_path / "opencode.json").write_text("{}")
    assert "opencode.json is read for this project too" in " ".join(OPENCODE.remarks(House(tmp_path).machine, ""))


def test_another_configuration_of_the_shell_is_told(tmp_path):
    assert any("OPENCODE_CONFIG" in note for note in House(tmp_path, OPENCODE_CONFIG="/x.json").apply("opencode").notes)
