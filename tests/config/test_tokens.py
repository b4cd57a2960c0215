import hashlib

import pytest

from tokenpak.config.rules import Unusable
from tokenpak.config.settings import ConfigError, load
from tokenpak.config.tokens import tokens_in

HASH = hashlib.sha256(b"the token of one").hexdigest()
OTHER = hashlib.sha256(b"the token of another").hexdigest()


def test_hashes_by_holder_in_small_letters():
    assert tokens_in({"laptop": f"sha256:{HASH.upper()}", "ci-2.x": f"sha256:{OTHER}"}) == {
        "laptop": HASH,
        "ci-2.x": OTHER,
    }
    assert tokens_in({}) == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["x"], "must be a table"),
        ({"": f"sha256:{HASH}"}, "must match"),
        ({"a b": f"sha256:{HASH}"}, "must match"),
        ({"laptop": HASH}, "laptop has no hash"),
        ({"laptop": f"sha256:{HASH}0"}, "laptop has no hash"),
        ({"laptop": 7}, "laptop has no hash"),
        ({"laptop": f"sha256:{hashlib.sha256(b'').hexdigest()}"}, "empty token"),
        ({"one": f"sha256:{HASH}", "two": f"sha256:{HASH.upper()}"}, "share one token"),
    ],
)
def test_what_cannot_be_used(value, words):
    with pytest.raises(Unusable, match=words):
        tokens_in(value)


def test_a_token_that_was_written_by_mistake_is_not_repeated(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[tokens]\nlaptop = "tpk-secret-0123456789"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {}, {})
    assert "laptop" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load(None, {"TOKENPAK_TOKENS": "{laptop = 'tpk-secret-0123456789'}"}, {})
    assert "secret" not in str(caught.value)


def test_tokens_of_a_file_and_of_the_environment(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'[tokens]\nlaptop = "sha256:{HASH}"\n')
    assert load(file, {}, {}).tokens == {"laptop": HASH}
    assert load(file, {"TOKENPAK_TOKENS": f'{{ci = "sha256:{OTHER}"}}'}, {}).tokens == {"ci": OTHER}
    assert load(None, {}, {}).tokens == {}
