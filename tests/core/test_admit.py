import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.admit import TOKEN_HEADER, admit, holder_of
from tokenpak.core.headers import OWN_PREFIXES


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1:8766",
        b"127.0.0.1",
        b"127.8.9.1:1",
        b"localhost:8766",
        b"LocalHost",
        b"localhost.",
        b"[::1]:8766",
        b"tokenpak.localhost:8766",
        b"host.docker.internal:8766",
        b"host.containers.internal",
        b"",
    ],
)
def test_this_machine_by_any_of_its_names(host):
    assert admit({b"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"127.0.0.1.evil.example",
        b"localhost.evil.example:8766",
        b"evillocalhost",
        b"[2001:db8::1]:8766",
        b"192.168.1.7:8766",
        b"api.anthropic.com",
        b"127.0.0.evil",
        b"1270.0.0.1",
    ],
)
def test_rebound_names_are_refused(host):
    assert admit({b"host": host}).fault == "foreign_host"


def test_http_1_0_has_no_host():
    assert admit({}) is None


@pytest.mark.parametrize(
    "origin",
    [
        b"http://localhost:3000",
        b"https://127.0.0.1:8443",
        b"http://[::1]:5173",
        b"vscode-webview://1a2b",
        b"vscode-file://vscode-app",
        b"app://obsidian.md",
        b"tauri://localhost",
    ],
)
def test_local_pages_and_editors_may_come_in(origin):
    assert admit({b"host": b"localhost", b"origin": origin}) is None


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"HTTPS://evil.example", b"http://localhost.evil.example", b"null", b""]
)
def test_pages_of_others_are_refused(origin):
    assert admit({b"host": b"localhost", b"origin": origin}).fault == "foreign_origin"


@pytest.mark.parametrize("upgrade", [b"websocket", b"WebSocket", b"h2c, websocket", b"websocket/13"])
def test_websockets_are_refused_whatever_else_is_there(upgrade):
    assert admit({b"host": b"localhost", b"upgrade": upgrade}).fault == "websocket"


def test_other_upgrades_are_ignored():
    assert admit({b"host": b"localhost", b"upgrade": b"h2c"}) is None


@pytest.mark.parametrize("site", [b"cross-site", b" Cross-Site "])
def test_a_page_of_others_that_tells_no_origin_is_refused_by_where_it_came_from(site):
    """An image, a script or a link: browsers send no origin with those."""
    refused = admit({b"host": b"127.0.0.1:8766", b"sec-fetch-site": site, b"sec-fetch-mode": b"no-cors"})
    assert (refused.fault, refused.provider) == ("foreign_origin", None)


@pytest.mark.parametrize("site", [b"same-origin", b"same-site", b"none", b""])
def test_what_the_user_or_a_page_of_this_machine_asks_for_may_come_in(site):
    assert admit({b"host": b"127.0.0.1:8766", b"sec-fetch-site": site}) is None


@pytest.mark.parametrize("origin", [b"http://localhost:3000", b"vscode-webview://1a2b"])
def test_local_pages_and_editors_are_other_sites_too(origin):
    assert admit({b"host": b"127.0.0.1:8766", b"origin": origin, b"sec-fetch-site": b"cross-site"}) is None


# Tokens


def hashed(token):
    return hashlib.sha256(token).hexdigest()


def test_the_token_stays_with_us():
    assert TOKEN_HEADER.startswith(OWN_PREFIXES)


@given(st.dictionaries(st.text(), st.binary(min_size=1), min_size=1, max_size=5), st.binary())
def test_whoever_shows_a_known_token_is_its_holder_and_nobody_else(tokens, other):
    hashes = {name: hashed(token) for name, token in tokens.items()}
    for token in tokens.values():
        holder = holder_of({TOKEN_HEADER: token}, hashes)
        assert tokens[holder] == token
    if other not in tokens.values():
        assert holder_of({TOKEN_HEADER: other}, hashes) is None
    assert holder_of({}, hashes) is None


def test_every_hash_is_compared_and_none_by_the_languages_own_equality(monkeypatch):
    """Constant time cannot be measured here; that the right function sees every pair can."""
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    hashes = {name: hashed(name.encode()) for name in ("one", "two", "three")}
    assert holder_of({TOKEN_HEADER: b"one"}, hashes) == "one"
    assert compared == [(hashed(b"one"), known) for known in hashes.values()]
