import pytest

from tokenpak.core.admit import admit


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
