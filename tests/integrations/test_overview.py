from tests.integrations.house import FILES, OTHER_PORT, ROOT, TEXTS, House
from tokenpak.integrations import configured
from tokenpak.integrations.catalog import INTEGRATIONS, integration_of
from tokenpak.integrations.overview import is_found, listed


def test_every_client_tells_where_it_calls(tmp_path):
    house = House(tmp_path)
    for client in FILES:
        house.put(client, TEXTS[client])
        house.apply(client, OTHER_PORT)
    found = configured(house.home, {})
    assert {each.client for each in found} == set(FILES)
    assert all(each.url.startswith(OTHER_PORT) for each in found)
    assert {each.where for each in found} == {str(house.file(client)) for client in FILES}
    assert {each.key for each in found if each.client == "opencode"} == {
        "provider.anthropic.options.baseURL",
        "provider.openai.options.baseURL",
    }


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path):
    house = House(tmp_path)
    house.put("codex", "= 1")
    house.put("aider", "openai-api-base: http://a/v1\n")
    assert [each.client for each in configured(house.home, {})] == ["aider"]
    line = listed(integration_of("codex"), house.machine, ROOT, written=False)
    assert line.found
    assert "is not TOML" in line.trouble


def test_variables_stand_for_clients_without_a_file_and_show_no_password(tmp_path):
    environ = {"ANTHROPIC_BASE_URL": "https://me:pw@gateway.corp/x?key=1", "OPENAI_BASE_URL": "not a url"}
    (found,) = configured(tmp_path, environ)
    assert (found.client, found.url, found.where) == (
        "anthropic-sdk",
        "https://gateway.corp:443/x",
        "$ANTHROPIC_BASE_URL",
    )


def test_a_line_of_the_list(tmp_path):
    house = House(tmp_path)
    house.apply("codex")
    line = listed(integration_of("codex"), house.machine, ROOT, written=True)
    assert (line.found, line.ours, line.written, line.version) == (True, True, True, None)
    assert not listed(integration_of("codex"), house.machine, OTHER_PORT, written=True).ours


def test_nothing_is_found_on_an_empty_machine(tmp_path):
    house = House(tmp_path)
    assert [each.name for each in INTEGRATIONS if is_found(each, house.machine)] == []
    house.file("codex").parent.mkdir()
    assert is_found(integration_of("codex"), house.machine)
