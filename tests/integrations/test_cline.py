import json

from tests.integrations.house import House

URL = "http://127.0.0.1:8766/v1"


def providers(**urls):
    return json.dumps(
        {"providers": {name.replace("_", "-"): {"settings": {"baseUrl": url}} for name, url in urls.items()}}
    )


def urls(house):
    held = json.loads(house.file("cline").read_text())["providers"]
    return {name: each["settings"]["baseUrl"] for name, each in held.items()}


def test_a_server_of_its_own_is_left_alone_and_told(tmp_path):
    house = House(tmp_path)
    house.put(
        "cline", providers(anthropic="https://api.anthropic.com/v1", openai_compatible="https://openrouter.ai/api/v1")
    )
    outcome = house.apply("cline")
    assert urls(house) == {"anthropic": URL, "openai-compatible": "https://openrouter.ai/api/v1"}
    assert any(
        "providers.openai-compatible.settings.baseUrl calls a server of its own" in note for note in outcome.notes
    )


def test_with_such_a_server_alone_nothing_is_written(tmp_path):
    house = House(tmp_path)
    house.put("cline", providers(openai_compatible="https://openrouter.ai/api/v1"))
    outcome = house.apply("cline")
    assert outcome.kind == "by_hand"
    assert "a server of its own" in outcome.words


def test_another_port_of_ours_is_not_a_server_of_its_own(tmp_path):
    house = House(tmp_path)
    house.put("cline", providers(anthropic="https://api.anthropic.com/v1"))
    house.apply("cline", "http://127.0.0.1:1")
    file = house.file("cline")
    file.write_text(file.read_text() + "\n")
    house.apply("cline")
    assert urls(house) == {"anthropic": URL}
    house.undo("cline")
    assert urls(house) == {"anthropic": "https://api.anthropic.com/v1"}


def test_other_providers_and_other_shapes_are_none_of_ours(tmp_path):
    house = House(tmp_path)
    for text in (providers(gemini=""), '{"providers": []}', "[]", '{"providers": {}}'):
        house.put("cline", text)
        assert house.apply("cline").kind == "by_hand"


def test_the_editor_is_told_of(tmp_path):
    house = House(tmp_path)
    house.put("cline", providers(anthropic=""))
    assert any("VS Code" in note for note in house.apply("cline").notes)
