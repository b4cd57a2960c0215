import json
import random
import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import corpus, planted
from tokenpak.core.detectors import DETECTORS, NAMES, entropy, find, possible

SECRETS = planted.secrets()
PII = {
    "email": ("mail ada.byron@analytical.engines.org now", "ada.byron@analytical.engines.org"),
    "phone": ("call +44 20 7946 0958 today", "+44 20 7946 0958"),
    "card": ("card 4539 1488 0343 6467 expires", "4539 1488 0343 6467"),
    "iban": ("to DE89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00"),
}


def kinds(text):
    return [found.kind for found in find(text)]


def test_every_detector_has_a_case():
    assert SECRETS.keys() | PII.keys() == NAMES.keys()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_whole_wherever_it_stands(kind, seed):
    secret = planted.secrets(seed)[kind]
    shown = planted.shown(kind, secret)
    for text in (shown, f"é→ {shown} and on", f"x\n{shown}\n", f"'{shown}', `{shown}`"):
        found = [each for each in find(text) if each.kind == kind]
        assert {text[each.start : each.end] for each in found} == {secret}, text


@pytest.mark.parametrize("kind", PII)
def test_personal_data_is_found_whole(kind):
    text, person = PII[kind]
    assert [(text[each.start : each.end], each.kind) for each in find(text)] == [(person, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "sk-ant-your-key-here-your-key-here",
        "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "token: 550e8400-e29b-41d4-a716-446655440000",
        "password = getPasswordFromEnvironment2(user1)",
        "secret = settings.SECRET_KEY_V2_FOR_TESTING_1",
        'api_key = os.environ["ANTHROPIC_API_KEY"]',
        "token = Ab12-Cd34-Ef56-Gh78-Ij90-Kl13",
        "tokenizer = AutoTokenizer1FromPretrained2Model3",
        "access_key=src/components/Button2/index3/token4",
        "postgres://user:password@localhost/db",
        "https://host:8080/a@b",
        "xoxb-your-token",
        "task-force sk-learn hf_hub_download npm_config_registry pypi-server",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + "A" * 64 + "\n-----END PUBLIC KEY-----",
        "eyJhbGciOi.no.jwt",
        "git@github.com:x/y.git user@example.com noreply@anthropic.com",
        "4539 1488 0343 6468",
        "+1 2 3",
        "DE89 3704 0044 0532 0130 01",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "@@ -1,7 +1,7 @@ import x",
    ],
)
def test_what_only_looks_like_one_is_none(text):
    assert kinds(text) == []


def test_a_key_that_was_cut_off_is_taken_as_far_as_it_goes():
    key = SECRETS["private-key"].rpartition("\n-----END")[0]
    numbered = "\n".join(f"{number:6}\t{line}" for number, line in enumerate(key.split("\n"), 1))
    for text in (key, json.dumps(key), numbered):
        cut = text + "\n\n[output was truncated]\nmore words that are no key\n"
        (found,) = find(cut)
        assert key.rpartition("\n")[2] in cut[found.start : found.end]
        assert "truncated" not in cut[found.start : found.end]


def test_where_two_overlap_the_one_that_knows_more_stands():
    token = SECRETS["github-token"]
    assert kinds(f"https://x-access:{token}@github.com/a/b") == ["github-token"]
    assert kinds(f"GITHUB_TOKEN={token}") == ["github-token"]


@given(st.text(alphabet=string.printable + "éß→İ"), st.sampled_from(sorted(SECRETS)), st.integers(0, 50))
def test_findings_are_in_order_apart_and_what_may_be_is_never_ruled_out(text, kind, seed):
    text = f"{text} {planted.shown(kind, planted.secrets(seed)[kind])} {text}"
    found = find(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert kind in [each.kind for each in found]
    for raw in (json.dumps(text), json.dumps(text).replace("/", "\\/"), json.dumps(text, ensure_ascii=False)):
        there = possible(raw.encode("utf-8", "surrogatepass"), NAMES)
        assert {each.kind for each in found} <= {detector.name for detector in there}


def test_only_the_named_are_looked_for():
    text = planted.shown("aws-key", SECRETS["aws-key"])
    assert possible(text.encode(), ["jwt"]) == ()
    assert find(text, [detector for detector in DETECTORS if detector.name == "jwt"]) == []


def test_entropy():
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2


def test_a_text_of_words_and_code_has_no_secret():
    rng = random.Random(3)
    words = ["token", "secret", "password", "api_key", "=", ":", '"', "value", "get_token_from", "x1", "0", "\n"]
    assert [k for k in kinds(" ".join(rng.choice(words) for _ in range(20_000))) if NAMES[k] == "secrets"] == []


@pytest.mark.parametrize("recorded", corpus.sessions(), ids=lambda each: each.name)
def test_recorded_sessions_hold_no_secret(recorded):
    """They were cleaned before they were published, so every hit is a false alarm."""

    def strings(value):
        if isinstance(value, str):
            yield value
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from strings(each)

    session = json.loads(recorded.path.read_bytes())
    hits = [each.kind for text in strings(session) for each in find(text) if NAMES[each.kind] == "secrets"]
    assert hits == []
