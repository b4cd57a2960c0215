import pytest

from tests.integrations.house import TEXTS, House

SECRET = "planted-token-of-chatgpt"


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path)
    found.put("codex", TEXTS["codex"])
    return found


def log_in(house, text):
    (house.home / ".codex" / "auth.json").write_text(text)


@pytest.mark.parametrize(
    "login",
    [
        f'{{"auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": {{"access_token": "{SECRET}"}}}}',
        f'{{"tokens": {{"access_token": "{SECRET}"}}, "last_refresh": "2026-01-01"}}',
        '{"auth_mode": "chatgpt"}',
    ],
)
def test_a_login_with_a_chatgpt_account_is_refused_and_why(house, login):
    log_in(house, login)
    for outcome in (house.preview("codex"), house.apply("codex")):
        assert outcome.kind == "refused"
        assert "ChatGPT account" in outcome.words
        assert SECRET not in str(outcome)
    assert house.file("codex").read_text() == TEXTS["codex"]


@pytest.mark.parametrize(
    "login",
    [
        f'{{"OPENAI_API_KEY": "{SECRET}"}}',
        f'{{"auth_mode": "apikey", "OPENAI_API_KEY": "{SECRET}", "tokens": null}}',
        "{}",
    ],
)
def test_a_login_with_a_key_is_none_of_it(house, login):
    log_in(house, login)
    outcome = house.apply("codex")
    assert outcome.kind == "written"
    assert SECRET not in str(outcome)


def test_a_login_that_cannot_be_read_is_refused(house):
    log_in(house, "{")
    assert "kind of login is not known" in house.apply("codex").words


def test_without_a_login_it_is_told_what_it_must_be(house):
    assert any("no login was found" in note for note in house.apply("codex").notes)


def test_another_provider_does_not_read_the_key(house):
    house.put("codex", 'model_provider = "azure"\n')
    outcome = house.apply("codex")
    assert outcome.kind == "refused"
    assert "'azure'" in outcome.words


def test_the_built_in_provider_by_name_and_profiles(house):
    house.put("codex", 'model_provider = "openai"\n[profiles.x]\nmodel = "a"\n')
    outcome = house.apply("codex")
    assert outcome.kind == "written"
    assert any("profile" in note for note in outcome.notes)


def test_its_directory_can_be_elsewhere(tmp_path):
    house = House(tmp_path, CODEX_HOME=str(tmp_path / "cx"), OPENAI_API_KEY="k")
    assert house.apply("codex").notes == ()
    assert (tmp_path / "cx" / "config.toml").read_text() == 'openai_base_url = "http://127.0.0.1:8766/v1"\n'
