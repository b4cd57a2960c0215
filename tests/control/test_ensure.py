import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.control.owners import FakeOwner
from tokenpak.config.paths import prepare
from tokenpak.config.settings import load, write_settings
from tokenpak.control import ensure as module
from tokenpak.control import install
from tokenpak.control.ensure import Ensured, NotServing, ensure_serving, serves
from tokenpak.control.instance import lock_instance


class Answering:
    """A server on a port of its own that answers each GET with one body."""

    def __init__(self, body=b"ok\n", status=200):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def owner(tmp_path, monkeypatch):
    found = FakeOwner(tmp_path / "tokenpak.service", present=False)
    monkeypatch.setattr(module, "owner_here", lambda _environ, _home: found)
    monkeypatch.setattr(module, "config_file", lambda _environ: None)
    monkeypatch.setattr(install, "_lingers", lambda: True)
    return found


@pytest.fixture
def settings(tmp_path):
    return lambda port: load(None, {}, {"state_dir": str(tmp_path / "state"), "port": port})


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Runs instead of this Python, as `serve` would be run."""

    def put(script):
        file = tmp_path / "program"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return put


def test_what_serves_is_left_alone(owner, settings, tmp_path):
    with Answering() as there:
        for start in (True, False):
            done = ensure_serving(settings(there.port), start=start)
            assert done == Ensured(f"TokenPak serves at http://127.0.0.1:{there.port}.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "body"), [(503, b"draining\n"), (200, b"<html>"), (404, b"ok\n")])
def test_what_does_not_take_requests_does_not_serve(status, body):
    with Answering(body, status) as there:
        assert not serves("127.0.0.1", there.port)
    assert not serves("127.0.0.1", there.port)


def test_without_leave_to_start_it_says_what_to_do(owner, settings, tmp_path):
    with pytest.raises(NotServing, match="tokenpakctl install"):
        ensure_serving(settings(free_port()), start=False)
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_on_the_port_is_named_and_nothing_is_started(owner, settings):
    with Answering(b"<html>") as there, pytest.raises(NotServing, match=rf"port {there.port} is taken by pid \d+"):
        ensure_serving(settings(there.port), start=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        module_ask, module.ASK_S = module.ASK_S, 0.2
        try:
            with pytest.raises(NotServing, match="is taken by"):
                ensure_serving(settings(silent.getsockname()[1]), start=True)
        finally:
            module.ASK_S = module_ask
    assert owner.calls == []


def test_it_installs_and_starts_the_service_and_waits_for_it(owner, settings):
    chosen, servers, held = settings(free_port()), [], []
    owner.present = True

    def come_up():
        write_settings(chosen)
        held.append(lock_instance(chosen.paths))
        there = HTTPServer(("127.0.0.1", chosen.port), Ready)
        servers.append((there, threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.02})))
        servers[0][1].start()

    owner.start_it = come_up
    try:
        words = ensure_serving(chosen, start=True).words
    finally:
        servers[0][0].shutdown()
        servers[0][1].join()
        servers[0][0].server_close()
        held[0].close()
    assert owner.calls == ["enable", "start"]
    assert str(owner.file) in words
    assert chosen.url in words


class Ready(BaseHTTPRequestHandler):
    """Answers as a front that is ready."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_arguments):
        pass


def test_without_a_service_manager_it_starts_in_the_background_and_says_what_that_means(owner, settings, program):
    line = json.dumps({"ready": True, "url": "http://127.0.0.1:9", "pid": 7})
    program(f"echo '{line}'; exec sleep 0.5")
    words = ensure_serving(settings(free_port()), start=True).words
    assert "http://127.0.0.1:9" in words
    assert "not come back after a reboot" in words
    assert words.endswith("(Not as a service: systemd --user does not answer in this session.)")


def test_a_service_that_fails_is_taken_back_and_the_real_reason_told(owner, settings, program):
    owner.present = owner.is_failing = True
    program("echo 'no such upstream' >&2; exit 1")
    with pytest.raises(NotServing, match="no such upstream"):
        ensure_serving(settings(free_port()), start=True)
    assert owner.calls == ["enable", "start", "disable", "forget"]
    assert not owner.file.exists()


def test_a_manager_that_refuses_to_start_it_leaves_nothing_enabled(owner, settings, program):
    owner.present, owner.refuses = True, "start"
    line = json.dumps({"ready": True, "url": "http://127.0.0.1:9", "pid": 7})
    program(f"echo '{line}'; exec sleep 0.5")
    assert "started in the background" in ensure_serving(settings(free_port()), start=True).words
    assert not owner.is_enabled
    assert not owner.file.exists()


def test_an_instance_that_serves_elsewhere_is_named(owner, settings):
    chosen = settings(free_port())
    prepare(chosen.paths)
    write_settings(settings(9))
    with lock_instance(chosen.paths), pytest.raises(NotServing, match=r"runs at http://127.0.0.1:9 "):
        ensure_serving(chosen, start=True)


def test_one_that_is_coming_up_is_waited_for_and_no_second_one_started(owner, settings, monkeypatch):
    chosen = settings(free_port())
    prepare(chosen.paths)
    write_settings(chosen)
    answers = iter([False, False, True])
    monkeypatch.setattr(module, "serves", lambda *_where: next(answers))
    with lock_instance(chosen.paths):
        assert ensure_serving(chosen, start=False).words == f"TokenPak serves at {chosen.url}."
    assert owner.calls == []


def test_one_that_never_comes_up_is_told_with_where_to_look(owner, settings, monkeypatch):
    monkeypatch.setattr(module, "BOOT_S", 0.1)
    monkeypatch.setattr(module.stop_times, "service_s", lambda _drain: 0)
    chosen = settings(free_port())
    prepare(chosen.paths)
    with lock_instance(chosen.paths), pytest.raises(NotServing, match="tokenpakctl status"):
        ensure_serving(chosen, start=True)
