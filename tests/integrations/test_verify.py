import pytest

from tests.integrations.house import ROOT, House
from tests.integrations.livez import serving
from tokenpak.integrations.catalog import integration_of
from tokenpak.integrations.verify import verify


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def verdict(house, client, root):
    (found,) = verify(integration_of(client), house.machine, root)
    return found


def test_it_asks_through_the_url_of_the_client(house):
    with serving() as (root, asked):
        house.apply("codex", root)
        found = verdict(house, "codex", root)
    assert asked == ["/livez"]
    assert found.well
    assert (found.url, found.where) == (f"{root}/v1", str(house.file("codex")))


def test_a_silent_port(house):
    with serving() as (root, _):
        house.apply("aider", root)
    found = verdict(house, "aider", root)
    assert not found.well
    assert "nothing answers" in found.words
    assert "tokenpakctl start" in found.words


def test_somebody_else_on_the_port(house):
    with serving(404, b"who?") as (root, _):
        house.apply("aider", root)
        found = verdict(house, "aider", root)
    assert not found.well
    assert "it is not TokenPak (status 404" in found.words


def test_an_answer_of_another_instance(house):
    with serving() as (root, _):
        house.apply("aider", root)
        found = verdict(house, "aider", ROOT)
    assert f"this instance serves at {ROOT}" in found.words


def test_a_server_of_somebody_else_is_not_asked(house, monkeypatch):
    monkeypatch.setattr("tokenpak.integrations.verify.answer_of", lambda *_: pytest.fail("asked"))
    house.put("aider", "openai-api-base: https://gateway.corp/v1\n")
    found = verdict(house, "aider", ROOT)
    assert not found.well
    assert "https://gateway.corp:443, which is not TokenPak" in found.words


def test_what_is_not_set(house):
    assert "integrate codex --apply" in verdict(house, "codex", ROOT).words
    assert "ANTHROPIC_BASE_URL" in verdict(house, "anthropic-sdk", ROOT).words
    assert not verdict(house, "cursor", ROOT).well


def test_a_variable_of_the_shell_is_looked_at_first(tmp_path):
    with serving() as (root, _):
        house = House(tmp_path, GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:1", OPENAI_BASE_URL=f"{root}/v1")
        house.apply("gemini-cli", root)
        found = verify(integration_of("gemini-cli"), house.machine, root)
        assert [(each.well, each.where) for each in found] == [
            (False, "$GOOGLE_GEMINI_BASE_URL"),
            (True, str(house.file("gemini-cli"))),
        ]
        assert verdict(house, "openai-sdk", root).well
