import pytest

from tests.integrations.house import House

URL = "http://127.0.0.1:8766/v1"


def test_models_of_other_providers_and_servers_are_left_alone(tmp_path):
    house = House(tmp_path)
    text = (
        "models:\n"
        "  - provider: anthropic\n"
        "  - provider: openai\n    apiBase: http://localhost:1234/v1\n"
        "  - provider: ollama\n"
        "  - uses: anthropic/claude\n"
    )
    house.put("continue", text)
    outcome = house.apply("continue")
    assert house.file("continue").read_text() == text.replace("anthropic\n", f"anthropic\n    apiBase: {URL}\n", 1)
    assert any("models.1.apiBase calls a server of its own" in note for note in outcome.notes)


@pytest.mark.parametrize(
    "text", ["", "models: []\n", "models: x\n", "models:\n  - provider: ollama\n", "- a\n", "models:\n  - x\n"]
)
def test_without_a_model_of_ours_there_are_steps(tmp_path, text):
    house = House(tmp_path)
    house.put("continue", text)
    outcome = house.apply("continue")
    assert outcome.kind == "by_hand"
    assert any(f"apiBase: {URL}" in step for step in outcome.steps)


def test_its_directory_can_be_elsewhere(tmp_path):
    house = House(tmp_path, CONTINUE_GLOBAL_DIR=str(tmp_path / "c"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.yaml").write_text("models:\n- provider: openai\n")
    assert house.apply("continue").kind == "written"
