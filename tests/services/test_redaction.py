import json

import pytest

from tests.core import planted
from tokenpak.core.patch import Format
from tokenpak.core.redact import Blocked, Clean, Redacted, Warned
from tokenpak.core.redaction_terms import Policy, Rule, Terms
from tokenpak.services import redaction
from tokenpak.services.redaction import Redaction

TOKEN = planted.secrets()["github-token"]
REDACT = Policy(Terms(secrets="redact"))
BILLED = "x-anthropic-billing-header: cc_version=2.1; cch=a1b2c;"


def body(content=f"see {TOKEN}", system="be brief"):
    return json.dumps({"system": system, "messages": [{"role": "user", "content": content}]}).encode()


def test_the_same_secret_leaves_as_the_same_bytes_after_a_restart_and_in_the_other_slot(tmp_path):
    file = tmp_path / "key"
    sent = [Redaction(REDACT, file).search(Format.ANTHROPIC, body(), None).body for _ in range(3)]
    assert len(set(sent)) == 1
    assert TOKEN.encode() not in sent[0]
    assert file.stat().st_mode & 0o777 == 0o600
    other = Redaction(REDACT, tmp_path / "other").search(Format.ANTHROPIC, body(), None).body
    assert other != sent[0]
    assert [each.name for each in tmp_path.iterdir() if "new" in each.name] == []


def test_no_key_is_made_where_nothing_is_redacted(tmp_path):
    each = Redaction(Policy(), tmp_path / "key")
    assert isinstance(each.search(Format.ANTHROPIC, body(), None), Warned)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b"short"), lambda file: file.mkdir()])
def test_without_a_key_that_can_be_kept_secrets_stay_out_all_the_same(tmp_path, spoil):
    spoil(tmp_path / "key")
    each = Redaction(REDACT, tmp_path / "key")
    assert isinstance(each.search(Format.ANTHROPIC, body(), None), Redacted)
    assert each.statistics()["key_kept"] is False
    assert Redaction(REDACT, tmp_path / "no" / "key").statistics()["key_kept"] is False


def test_a_body_whose_bytes_are_billed_is_blocked(tmp_path):
    each = Redaction(REDACT, tmp_path / "key")
    billed = body(system=[{"type": "text", "text": BILLED}])
    assert isinstance(each.search(Format.ANTHROPIC, billed, None), Blocked)
    assert isinstance(each.search(Format.ANTHROPIC, body(f"cch= {TOKEN}"), None), Redacted)
    assert isinstance(
        each.search(Format.ANTHROPIC, body(system=[{"type": "text", "text": BILLED[:40]}]), None), Redacted
    )
    assert isinstance(each.search(Format.ANTHROPIC, billed.replace(TOKEN.encode(), b"x"), None), Clean)
    unreadable = json.dumps({"prompt": f"cch= {TOKEN}"}).encode()
    assert isinstance(each.search(Format.ANTHROPIC, unreadable, None), Blocked), "who cannot tell does not edit"


def test_on_the_terms_of_its_client(tmp_path):
    each = Redaction(
        Policy(Terms(), (Rule(client="aider", secrets="block"), Rule(client="curl", secrets="off"))), tmp_path
    )
    assert isinstance(each.search(None, body(), "codex"), Warned)
    assert isinstance(each.search(None, body(), "aider"), Blocked)
    assert each.search(None, body(), "curl") == Clean()
    assert (each.statistics()["searched"], each.statistics()["warned"], each.statistics()["blocked"]) == (2, 1, 1)
    assert each.statistics()["found"] == {"github-token": 2}


def test_a_turn_costs_its_new_part(tmp_path, monkeypatch):
    each = Redaction(REDACT, tmp_path / "key")
    looked = []
    real = redaction.redact.find
    monkeypatch.setattr(
        "tokenpak.core.redact.find", lambda text, detectors: looked.append(text) or real(text, detectors)
    )
    texts = [f"{number} {TOKEN}" for number in range(4)]
    for count in range(1, 5):
        messages = [{"role": "user", "content": text} for text in texts[:count]]
        each.search(Format.ANTHROPIC, json.dumps({"messages": messages}).encode(), None)
    assert [text for text in looked if TOKEN in text] == texts


def test_what_is_kept_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(redaction, "ELEMENTS", 3)
    each = Redaction(Policy(), tmp_path / "key")
    for number in range(9):
        each.search(None, body(str(number)), None)
    assert each.statistics()["elements"] == 3
