import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tokenpak.config.settings import load
from tokenpak.control.doctor.surroundings import look_at_providers, look_at_variables


@pytest.fixture
def settings(tmp_path):
    return load(None, {}, {"state_dir": str(tmp_path)})


def names(settings, environ):
    return [finding.what.split()[0] for finding in look_at_variables(settings, environ)]


def test_an_ordinary_shell_is_well(settings):
    assert names(settings, {"PATH": "/bin", "HOME": "/h", "ANTHROPIC_API_KEY": "sk-secret"}) == []


def test_variables_that_send_a_client_elsewhere(settings):
    here = {"ANTHROPIC_BASE_URL": settings.url, "OPENAI_BASE_URL": f"{settings.url}/v1"}
    assert names(settings, here) == []
    elsewhere = {"ANTHROPIC_BASE_URL": "https://user:secret@h", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    found = look_at_variables(settings, elsewhere)
    assert [each.weight for each in found] == ["note", "note"]
    assert "secret" not in str(found)


@pytest.mark.parametrize("excepted", ["127.0.0.1", "a, 127.0.0.1", "localhost", "*"])
def test_a_proxy_for_everything_is_wrong_unless_we_are_excepted(settings, excepted):
    assert names(settings, {"http_proxy": "http://p", "NO_PROXY": excepted}) == []
    (found,) = look_at_variables(settings, {"http_proxy": "http://p", "NO_PROXY": "a.example"})
    assert found.weight == "wrong"
    assert found.remedy == "NO_PROXY=a.example,127.0.0.1"


def test_our_own_variables_and_those_that_only_look_so(settings):
    environ = {"TOKENPAK_PORT": "9", "TOKENPAK_UPSTREAM_X": "http://h", "TOKENPAK_PROT": "9", "TOKENPAK_LEVEL": ""}
    assert names(settings, environ) == ["TOKENPAK_PORT", "TOKENPAK_PROT", "TOKENPAK_UPSTREAM_X"]


def test_a_provider_that_answers_anything_is_there(settings, tmp_path):
    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(dict(self.headers))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    asked = []
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    there = f"http://127.0.0.1:{server.server_port}/base"
    upstreams = dict.fromkeys(("anthropic", "openai", "google", "ollama"), there)
    upstreams["mine"] = f"http://127.0.0.1:{closed}"
    try:
        (found,) = look_at_providers(load(None, {}, {"state_dir": str(tmp_path), "upstreams": upstreams}))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert found.what.startswith("mine cannot be reached")
    assert len(asked) == 4
    assert not any("authorization" in {name.lower() for name in headers} for headers in asked)
