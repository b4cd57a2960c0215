import pytest

from tests.integrations.house import OTHER_PORT, ROOT, TEXTS, House
from tokenpak.config.settings import DEFAULT_UPSTREAMS
from tokenpak.integrations import apply, journal
from tokenpak.integrations.catalog import integration_of
from tokenpak.integrations.integration import Setup
from tokenpak.integrations.plan import carry_out, plan


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path)
    found.put("codex", TEXTS["codex"])
    return found


def planned(house, root=ROOT):
    return plan(integration_of("codex"), house.setup(root), journal.entry_of(house.paths, "codex"))


GATEWAY = "https://gw.corp.example/llm"
WITH_CREDENTIAL = {
    "claude-code": f'{{"env": {{"ANTHROPIC_BASE_URL": "{GATEWAY}", "ANTHROPIC_AUTH_TOKEN": "planted-secret"}}}}',
    "aider": f"openai-api-base: {GATEWAY}/v1\nopenai-api-key: planted-secret\n",
    "gemini-cli": f"GOOGLE_GEMINI_BASE_URL={GATEWAY}\nGEMINI_API_KEY=planted-secret\n",
    "opencode": f'{{"provider":{{"openai":{{"options":{{"baseURL":"{GATEWAY}/v1","apiKey":"planted-secret"}}}}}}}}',
}
PROVIDERS = {"claude-code": "anthropic", "aider": "openai", "gemini-cli": "google", "opencode": "openai"}


@pytest.mark.parametrize("client", WITH_CREDENTIAL)
def test_a_credential_for_another_server_is_not_sent_elsewhere(house, client):
    house.put(client, WITH_CREDENTIAL[client])
    before = house.tree()
    for outcome in (house.preview(client), house.apply(client)):
        assert outcome.kind == "failed"
        assert "would be shown it" in outcome.words
        assert f'[upstreams]: {PROVIDERS[client]} = "{GATEWAY}"' in outcome.steps[0]
        assert ["tokenpakctl reload" in outcome.steps[1], f"integrate {client} --apply" in outcome.steps[2]] == [
            True,
            True,
        ]
        assert "planted" not in f"{outcome}"
    assert house.tree() == before


@pytest.mark.parametrize("client", WITH_CREDENTIAL)
def test_where_the_upstream_is_that_server_it_is_written_and_undone(house, client):
    file = house.put(client, WITH_CREDENTIAL[client])
    upstreams = {**DEFAULT_UPSTREAMS, PROVIDERS[client]: GATEWAY}
    setup = Setup(house.machine, ROOT, upstreams)
    for kind in ("written", "already"):
        assert apply.apply(integration_of(client), setup, house.paths).kind == kind
    assert house.undo(client).kind == "restored"
    assert file.read_text() == WITH_CREDENTIAL[client]


def test_a_credential_beside_a_reference_is_refused_without_naming_a_server(house):
    house.put("claude-code", '{"env": {"ANTHROPIC_BASE_URL": "${GATEWAY}", "ANTHROPIC_AUTH_TOKEN": "planted"}}')
    outcome = house.apply("claude-code")
    assert (outcome.kind, 'anthropic = "https://..."' in outcome.steps[0]) == ("failed", True)


def test_planning_writes_nothing(house):
    before = house.tree()
    made = planned(house)
    assert made.after != made.before
    assert made.entry is not None
    assert house.tree() == before


def test_a_plan_of_what_is_there_has_nothing_to_write(house):
    house.apply("codex")
    made = planned(house)
    assert made.entry is None
    carry_out(made, house.paths)
    assert made.after == made.before


def test_another_port_starts_from_the_first_text_and_remembers_the_way(house):
    house.apply("codex")
    first = journal.entry_of(house.paths, "codex")
    made = planned(house, OTHER_PORT)
    assert made.entry.before == first.before
    assert made.entry.earlier == first
    assert made.entry.ours == (f"{ROOT}/v1", f"{OTHER_PORT}/v1")


def test_the_way_does_not_grow(house):
    for root in (ROOT, OTHER_PORT, ROOT, OTHER_PORT):
        house.apply("codex", root)
    entry = journal.entry_of(house.paths, "codex")
    assert entry.earlier is not None
    assert entry.earlier.earlier is None
    assert len(entry.ours) == 2


def test_a_file_somebody_has_written_into_is_known_by_values_only(house):
    house.apply("codex")
    file = house.file("codex")
    file.write_text(file.read_text() + "# more\n")
    made = planned(house, OTHER_PORT)
    assert (made.entry.before, made.entry.after, made.entry.splices) == ("", "", ())
    assert [(each.value, each.was) for each in made.entry.changes] == [(f"{OTHER_PORT}/v1", None)]


def test_the_way_back_from_the_way_back_is_fresh(house):
    house.apply("codex")
    house.undo("codex")
    assert planned(house).entry.earlier is None
