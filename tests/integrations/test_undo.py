import json

import pytest

from tests.integrations.house import FILES, OTHER_PORT, ROOT, TEXTS, House
from tokenpak.integrations import journal, undo_all
from tokenpak.integrations.undo import undo_every

CLIENTS = sorted(FILES)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


ADDED = {
    "claude-code": ('"model": "opus"', '"model": "haiku"'),
    "codex": ("approval_policy = 'on-request'", 'approval_policy = "never" # now'),
    "cline": ('"version": 1,', '"version": 2,\n "modes": {},'),
    "continue": ("version: 1.0.0", "version: 1.0.1\n# new"),
    "aider": ("dark-mode: true", "light-mode: true # day"),
    "gemini-cli": ("OTHER=1", "OTHER=2\nMORE='x'"),
    "opencode": ('"theme": "system"', '"theme": "light" /* day */'),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("ports", [(ROOT,), (ROOT, OTHER_PORT)], ids=["one", "two"])
def test_changes_of_the_user_stay_and_ours_go(house, client, ports):
    file = house.put(client, TEXTS[client])
    house.apply(client)
    old, new = ADDED[client]
    file.write_text(file.read_text().replace(old, new))
    for port in ports:
        house.apply(client, port)
    outcome = house.undo(client)
    assert outcome.kind == "restored"
    assert "every other change of yours stays" in outcome.words
    assert file.read_text() == TEXTS[client].replace(old, new)


def test_a_value_the_user_has_put_there_stays(house):
    file = house.put("aider", TEXTS["aider"])
    house.apply("aider")
    theirs = file.read_text().replace(ROOT, "https://gateway.corp")
    file.write_text(theirs)
    outcome = house.undo("aider")
    assert outcome.kind == "kept"
    assert "openai-api-base has a value of yours" in outcome.words
    assert file.read_text() == theirs
    assert house.undo("aider").kind == "nothing"


def test_one_of_two_values_is_theirs(house):
    file = house.put("opencode", "{}")
    house.apply("opencode")
    held = json.loads(file.read_text())
    held["provider"]["openai"]["options"]["baseURL"] = "https://gateway.corp/v1"
    file.write_text(json.dumps(held))
    outcome = house.undo("opencode")
    assert outcome.kind == "restored"
    assert "provider.openai.options.baseURL has a value of yours" in outcome.words
    assert json.loads(file.read_text()) == {"provider": {"openai": {"options": {"baseURL": "https://gateway.corp/v1"}}}}


def test_applied_again_over_a_value_of_theirs_it_is_theirs_that_comes_back(house):
    file = house.put("codex", TEXTS["codex"])
    house.apply("codex")
    theirs = file.read_text().replace(ROOT, "https://gateway.corp")
    file.write_text(theirs)
    assert house.apply("codex").kind == "written"
    house.undo("codex")
    assert file.read_text() == theirs


def test_the_foreign_url_comes_back_into_a_changed_file(house):
    file = house.put("codex", "openai_base_url = 'https://gateway.corp/v1' # ours\nmodel = 'a'\n")
    house.apply("codex")
    file.write_text(file.read_text().replace("'a'", "'b'"))
    house.apply("codex", OTHER_PORT)
    house.undo("codex")
    assert file.read_text() == "openai_base_url = 'https://gateway.corp/v1' # ours\nmodel = 'b'\n"


def test_models_that_moved_in_their_list_are_found(house):
    file = house.put("continue", TEXTS["continue"])
    house.apply("continue")
    new = "models:\n  - name: first\n    provider: mistral\n"
    file.write_text(file.read_text().replace("models:\n", new))
    house.undo("continue")
    assert file.read_text() == TEXTS["continue"].replace("models:\n", new)


def test_a_model_that_was_copied_does_not_keep_our_url(house):
    file = house.put("continue", "models:\n- name: a\n  provider: openai\n")
    house.apply("continue")
    file.write_text(file.read_text() + file.read_text().removeprefix("models:\n").replace("a\n", "b\n", 1))
    house.undo("continue")
    assert file.read_text() == "models:\n- name: a\n  provider: openai\n- name: b\n  provider: openai\n"


def test_a_file_that_was_made_and_then_filled_by_the_user_stays(house):
    file = house.file("claude-code")
    house.apply("claude-code")
    held = json.loads(file.read_text())
    file.write_text(json.dumps({"model": "opus", **held}, indent=4))
    house.undo("claude-code")
    assert json.loads(file.read_text()) == {"model": "opus"}


def test_a_file_that_was_made_and_only_laid_out_anew_goes(house):
    file = house.file("claude-code")
    house.apply("claude-code")
    file.write_text(json.dumps(json.loads(file.read_text())))
    assert house.undo("claude-code").kind == "restored"
    assert house.tree() == {}


def test_a_file_the_user_has_removed_is_not_made_anew(house):
    file = house.put("codex", TEXTS["codex"])
    house.apply("codex")
    file.unlink()
    assert house.undo("codex").kind == "kept"
    assert not file.exists()


def test_a_made_file_the_user_has_removed_leaves_no_directory(house):
    house.apply("codex")
    house.file("codex").unlink()
    assert house.undo("codex").kind == "restored"
    assert house.tree() == {}


def test_a_file_that_cannot_be_read_any_more_is_told_with_what_to_write(house):
    file = house.put("claude-code", '{"env": {"ANTHROPIC_BASE_URL": "https://gateway.corp"}}')
    house.apply("claude-code")
    file.write_text(file.read_text()[:-1])
    outcome = house.undo("claude-code")
    assert outcome.kind == "failed"
    assert 'env.ANTHROPIC_BASE_URL was "https://gateway.corp"' in outcome.words
    file.write_text(file.read_text() + "}")
    assert house.undo("claude-code").kind == "restored"


def test_a_file_that_is_read_only_can_be_undone_later(house):
    file = house.put("codex", TEXTS["codex"])
    house.apply("codex")
    file.chmod(0o444)
    assert house.undo("codex").kind == "failed"
    file.chmod(0o644)
    assert house.undo("codex").kind == "restored"
    assert file.read_text() == TEXTS["codex"]


def test_all_are_undone_each_for_itself(house):
    for client in CLIENTS:
        house.put(client, TEXTS[client])
        house.apply(client)
    (house.paths.integrations / "codex.json").write_text('{"version": 9}')
    outcomes = {each.client: each for each in undo_all(house.paths, house.home, {})}
    assert sorted(outcomes) == CLIENTS
    assert outcomes.pop("codex").kind == "failed"
    assert {each.kind for each in outcomes.values()} == {"restored"}
    assert [c for c in CLIENTS if house.file(c).read_text() != TEXTS[c]] == ["codex"]


def test_where_nothing_was_done_nothing_is_made(house):
    assert undo_every(house.paths) == ()
    assert not house.paths.state.exists()


def test_an_undone_integration_is_forgotten(house):
    house.apply("codex")
    assert len(journal.entries(house.paths)) == 1
    house.undo("codex")
    assert journal.entries(house.paths) == ()
