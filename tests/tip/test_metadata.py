import msgspec
import pytest

from tokenpak.tip.metadata import UNKNOWN_PROVIDER, Metadata, contradictions

WHOLE = Metadata(
    request_id="r",
    tip_version="TIP-1.0",
    profile="tip-proxy",
    provider=UNKNOWN_PROVIDER,
    model="m",
    client="c",
    session_id="s",
    capabilities_negotiated=("tip.a",),
    ext={"acme": {"x": 1}},
)
HEADERS = {"x-tokenpak-REQUEST-id": "r", "X-TokenPak-TIP-Version": "TIP-1.0", "X-TokenPak-Profile": "tip-proxy"}


def test_everything_may_be_missing_and_all_comes_back():
    assert msgspec.to_builtins(Metadata()) == {}
    assert msgspec.json.decode(msgspec.json.encode(WHOLE), type=Metadata) == WHOLE


@pytest.mark.parametrize("wrong", [{"tip_version": "1"}, {"provider": None}, {"more": 1}, {"ext": []}])
def test_metadata_is_closed(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Metadata)


def test_metadata_that_agrees_with_its_headers():
    assert contradictions(WHOLE, HEADERS) == ()
    assert contradictions(WHOLE, {}) == ()
    assert contradictions(Metadata(), HEADERS) == ()


@pytest.mark.parametrize(
    ("member", "header"),
    [
        ("request_id", "X-TokenPak-Request-Id"),
        ("tip_version", "X-TokenPak-TIP-Version"),
        ("profile", "X-TokenPak-Profile"),
    ],
)
def test_metadata_that_contradicts_a_header(member, header):
    others = {name: value for name, value in HEADERS.items() if name.lower() != header.lower()}
    assert contradictions(WHOLE, {**others, header: "another"}) == (member,)
