import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.tip.capabilities import is_label
from tokenpak.tip.errors import RESERVED, ErrorEnvelope, envelope, own_code


@pytest.mark.parametrize("code", sorted(RESERVED))
def test_an_envelope_with_a_code_of_the_protocol(code):
    made = msgspec.to_builtins(envelope(code, "Cause. Step."))
    assert made == {"code": code, "message": "Cause. Step.", "tip_version": "TIP-1.0", "profile": "tip-proxy"}
    assert msgspec.convert(made, ErrorEnvelope) == envelope(code, "Cause. Step.")


def test_details_stand_where_there_are_some():
    assert msgspec.to_builtins(envelope("ext.tokenpak.x", "m", {"a": 1}))["details"] == {"a": 1}


@pytest.mark.parametrize("code", ["tip.cache.full", "internal", "", "TIP.internal.unexpected-error"])
def test_a_code_that_only_looks_like_the_protocols_is_refused(code):
    with pytest.raises(ValueError, match="no code"):
        envelope(code, "m")


def test_the_protocol_has_nineteen_codes():
    assert len(RESERVED) == 19


@given(st.text(max_size=300))
def test_any_word_gives_a_code_of_ours(word):
    code = own_code(word)
    assert code.startswith("ext.tokenpak.")
    assert is_label(code)
    assert len(code) <= 80
    assert envelope(code, "m").code == code


def test_a_word_stays_readable():
    assert own_code("provider-Overloaded_Error") == "ext.tokenpak.provider-overloaded-error"
    assert own_code("") == "ext.tokenpak.unnamed"


@pytest.mark.parametrize("raw", [b'{"code":"a"}', b'{"message":"a"}', b'{"code":"a","message":"b","x":1}'])
def test_the_envelope_is_closed_and_needs_code_and_message(raw):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=ErrorEnvelope)
