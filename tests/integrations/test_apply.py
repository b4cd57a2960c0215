import os
import stat

import pytest

from tests.integrations.house import FILES, OTHER_PORT, ROOT, TEXTS, House
from tokenpak.integrations.formats import FORMATS

BOM = b"\xef\xbb\xbf"
CLIENTS = sorted(FILES)

FOREIGN = {
    "claude-code": '{"env": {"ANTHROPIC_BASE_URL": "https://gateway.corp/llm" /* ours */ }}',
    "codex": "openai_base_url = 'https://gateway.corp/v1' # ours\n[tools]\nweb = true",
    "cline": '{"providers": {"anthropic": {"settings": {"baseUrl": "https://api.anthropic.com/v1"}}}}',
    "continue": "models:\n- provider: openai\n  apiBase: 'https://api.openai.com/v1'\n",
    "aider": 'openai-api-base: "https://gateway.corp/v1"\n',
    "gemini-cli": "GOOGLE_GEMINI_BASE_URL = 'https://gateway.corp'\n",
    "opencode": '{"provider":{"openai":{"options":{"baseURL":"https://gateway.corp/v1"}}}}',
}


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def forms(text):
    """One text as files come: either line break, with and without a byte order mark and a last line break."""
    windows = text.replace("\n", "\r\n")
    return [
        text.encode(),
        windows.encode(),
        BOM + text.encode(),
        text.rstrip().encode(),
        BOM + windows.rstrip().encode(),
    ]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("form", range(5))
@pytest.mark.parametrize("texts", [TEXTS, FOREIGN], ids=["own", "foreign"])
def test_applied_twice_and_undone_every_byte_is_back(house, client, form, texts):
    file = house.put(client, forms(texts[client])[form])
    before = house.tree()
    assert house.apply(client).kind == "written"
    once = house.tree()
    assert once != before
    assert ROOT.encode() in file.read_bytes()
    assert house.apply(client).kind == "already"
    assert house.tree() == once
    assert house.undo(client).kind == "restored"
    assert house.tree() == before
    assert house.undo(client).kind == "nothing"


@pytest.mark.parametrize("client", CLIENTS)
def test_every_line_but_ours_is_the_same(house, client):
    file = house.put(client, TEXTS[client])
    house.apply(client)
    now = file.read_text()
    kept = [line for line in TEXTS[client].splitlines() if "api.openai.com" not in line and "small" not in line]
    assert [line for line in kept if line not in now.splitlines() and line + "," not in now.splitlines()] in (
        [],
        ['      "options": { "apiKey": "planted-secret-of-opencode", },'],
        ['    "apiKey": "planted-secret-of-cline"'],
    )


@pytest.mark.parametrize("client", sorted(set(CLIENTS) - {"cline", "continue"}))
def test_a_file_that_was_not_there_is_not_there_again(house, client):
    before = house.tree()
    assert house.apply(client).kind == "written"
    assert stat.S_IMODE(house.file(client).stat().st_mode) == 0o600
    house.apply(client)
    assert house.undo(client).kind == "restored"
    assert house.tree() == before


@pytest.mark.parametrize("client", ["cline", "continue"])
def test_without_a_provider_there_are_steps_and_no_file(house, client):
    outcome = house.apply(client)
    assert outcome.kind == "by_hand"
    assert any(ROOT in step for step in outcome.steps)
    assert house.tree() == {}


def test_directories_of_somebody_else_stay(house):
    house.file("claude-code").parent.mkdir()
    house.apply("claude-code")
    house.undo("claude-code")
    assert house.tree() == {".claude": None}


def test_a_preview_writes_nothing_and_masks_every_secret(house):
    for client in CLIENTS:
        house.put(client, TEXTS[client])
    before = house.tree()
    shown = [house.preview(client) for client in CLIENTS]
    assert all(each.kind == "planned" and f"+++ {house.file(each.client)}" in each.diff for each in shown)
    assert all(ROOT in each.diff for each in shown)
    assert "planted-secret" not in "".join(each.diff for each in shown)
    assert house.tree() == before
    assert not house.paths.state.exists()


def test_no_secret_of_a_file_is_found_in_the_state_directory(house):
    for client in CLIENTS:
        house.put(client, TEXTS[client])
        assert house.apply(client).kind == "written"
    kept = [each for each in house.paths.state.rglob("*") if each.is_file()]
    assert len(kept) > len(CLIENTS)
    assert not [each for each in kept if b"planted" in each.read_bytes()]
    assert {stat.S_IMODE(each.stat().st_mode) for each in kept} == {0o600}
    assert stat.S_IMODE(house.paths.integrations.stat().st_mode) == 0o700


@pytest.mark.parametrize("client", CLIENTS)
def test_another_port_is_brought_up_to_date_and_undone_to_the_first_text(house, client):
    file = house.put(client, TEXTS[client])
    before = file.read_bytes()
    house.apply(client)
    assert house.apply(client, OTHER_PORT).kind == "written"
    assert ROOT.encode() not in file.read_bytes()
    assert OTHER_PORT.encode() in file.read_bytes()
    house.apply(client)
    house.apply(client, OTHER_PORT)
    house.undo(client)
    assert file.read_bytes() == before


def test_a_base_url_that_holds_a_secret_is_refused(house):
    file = house.put("claude-code", '{"env": {"ANTHROPIC_BASE_URL": "https://me:hunter2@gateway.corp"}}')
    before = file.read_bytes()
    outcome = house.apply("claude-code")
    assert outcome.kind == "failed"
    assert "password" in outcome.words
    assert "hunter2" not in str(outcome)
    assert file.read_bytes() == before


def test_a_gateway_that_stood_there_is_named_with_what_to_do(house):
    house.put("claude-code", FOREIGN["claude-code"])
    (note,) = house.apply("claude-code").notes
    assert "--upstream anthropic=https://gateway.corp/llm" in note


def test_a_link_stays_a_link(house, tmp_path):
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_text(TEXTS["claude-code"])
    link = house.file("claude-code")
    link.parent.mkdir()
    link.symlink_to(real)
    house.apply("claude-code")
    assert link.is_symlink()
    assert ROOT in real.read_text()
    house.undo("claude-code")
    assert link.is_symlink()
    assert real.read_text() == TEXTS["claude-code"]


def test_mode_is_kept(house):
    file = house.put("codex", TEXTS["codex"])
    file.chmod(0o640)
    house.apply("codex")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize("locked", ["file", "directory"])
def test_what_is_read_only_is_named_with_what_to_do(house, locked):
    file = house.put("codex", TEXTS["codex"])
    target, mode = (file, 0o444) if locked == "file" else (file.parent, 0o555)
    target.chmod(mode)
    try:
        outcome = house.apply("codex")
        assert outcome.kind == "failed"
        assert f"chmod u+w {target}" in outcome.words
        assert file.read_text() == TEXTS["codex"]
        assert not list(house.paths.integrations.glob("*.json"))
    finally:
        target.chmod(0o755)


def test_another_name_of_the_same_file_is_not_parted(house, tmp_path):
    file = house.put("codex", TEXTS["codex"])
    os.link(file, tmp_path / "second")
    assert "2 names" in house.apply("codex").words
    assert file.read_text() == TEXTS["codex"]


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("claude-code", '{"env": {'),
        ("claude-code", '{"env": {"A": "x", "A": "y"}}'),
        ("claude-code", '{"env": ["ANTHROPIC_BASE_URL"]}'),
        ("claude-code", '{"env": {"ANTHROPIC_BASE_URL": 7}}'),
        ("codex", "model = \n"),
        ("codex", "openai_base_url = 1\n"),
        ("aider", "a: [1\n"),
        ("aider", "- a\n"),
        ("aider", "a: 1\n---\nb: 2\n"),
        ("gemini-cli", b"\xff\xfe"),
    ],
)
def test_what_is_not_understood_is_left_alone(house, client, text):
    file = house.put(client, text)
    before = file.read_bytes()
    outcome = house.apply(client)
    assert outcome.kind == "failed"
    assert outcome.words
    assert file.read_bytes() == before
    assert not (house.paths.integrations / f"{client}.json").exists()


def test_a_base_url_set_to_tokenpak_by_hand_is_the_users(house):
    house.put("aider", f"openai-api-base: {ROOT}/v1\n")
    assert house.apply("aider").kind == "already"
    assert house.undo("aider").kind == "nothing"
    assert ROOT in house.file("aider").read_text()


def test_variables_that_count_more_are_named(tmp_path):
    house = House(tmp_path, GOOGLE_GEMINI_BASE_URL="https://elsewhere")
    for outcome in (house.preview("gemini-cli"), house.apply("gemini-cli"), house.apply("gemini-cli")):
        assert any("GOOGLE_GEMINI_BASE_URL is set in this shell" in note for note in outcome.notes)


def test_a_file_that_moved_is_undone_where_it_was_first(tmp_path):
    house = House(tmp_path)
    house.apply("codex")
    moved = House.__new__(House)
    moved.home, moved.paths = house.home, house.paths
    moved.machine = house.machine._replace(environ={"CODEX_HOME": str(tmp_path / "elsewhere")})
    assert "--undo" in moved.apply("codex").words
    assert not (tmp_path / "elsewhere").exists()


def test_every_text_of_the_house_is_readable():
    by_ending = {"json": "json", "toml": "toml", "yaml": "yaml", "yml": "yaml", "env": "dotenv"}
    for client, file in FILES.items():
        assert FORMATS[by_ending[file.rsplit(".", 1)[1]]].load(TEXTS[client])
