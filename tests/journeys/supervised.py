"""A whole instance under supervisord for a test, and an upstream whose answers a test can hold back."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

from tokenpak.config.paths import paths_for
from tokenpak.control.supervisor import Supervisor

START_S = 40
GONE_S = 20


def wait_until(true, within_s=15.0, every_s=0.02):
    """Wait for a condition; its last value, or a failure at the deadline."""
    deadline = time.monotonic() + within_s
    while not (value := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {getattr(true, '__doc__', None) or true}")
        time.sleep(every_s)
    return value


class Service:
    """One `tokenpak serve`, started as a user starts it."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.state = state
        self.paths = paths_for(state)
        self.supervisor = Supervisor(self.paths)
        self.errors = state.parent / f"{state.name}.stderr"
        command = [sys.executable, "-m", "tokenpak.cli.main", "serve", "--state-dir", str(state), *arguments]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TOKENPAK_")}
        environ["XDG_CONFIG_HOME"] = str(state.parent)  # no configuration of whoever runs the tests
        with self.errors.open("ab") as words:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, env=environ)
        self.output = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self) -> "Service":
        """Wait for the ready line."""
        deadline = time.monotonic() + START_S
        while b"\n" not in self.output:
            left = deadline - time.monotonic()
            assert left > 0, f"not ready: {self.said()}"
            if select.select([self.process.stdout], [], [], left)[0]:
                piece = os.read(self.process.stdout.fileno(), 4096)
                assert piece, f"ended before it was ready: {self.said()}"
                self.output += piece
        line = json.loads(self.output)
        assert line["ready"] is True
        assert line["pid"] == self.pid
        self.url = line["url"]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def said(self) -> str:
        return self.errors.read_text()

    def log(self, name: str) -> str:
        return (self.paths.logs / f"{name}.log").read_text()

    def tree(self) -> list[psutil.Process]:
        """Every process of this instance, found by the settings it was started with."""
        mark = str(self.paths.settings_file)
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TOKENPAK_SETTINGS") == mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def pids(self, name: str) -> list[int]:
        return [p.pid for p in self.supervisor.processes() if name in {p.name, p.group} and p.pid]

    def supervisord(self) -> int:
        return int(self.paths.supervisor_pid.read_text())

    def stop(self, within_s: float = 30) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=within_s)

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        for process in [self.process, *self.tree()]:
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                process.kill()
        self.process.wait()
        wait_until(lambda: not self.tree(), GONE_S)
        self.process.stdout.close()


class Upstream:
    """A provider that answers at once, or piece by piece until it is let go (paths with `slow`)."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.served = 0
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                upstream.served += 1
                if "slow" in self.path:
                    self.slowly()
                    return
                body = b'{"ok":true}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815 the name http.server calls

            def slowly(self):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for number in range(600):
                        piece = f"data: {number}\n\n".encode()
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                        self.wfile.flush()
                        if upstream.go_on.wait(0.05):
                            break
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                """A proxy that is killed in mid-answer is what these tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Client:
    """Blocking HTTP/1.1 by hand: a test must see refused, reset and cut for what they are."""

    def __init__(self, port: int, timeout_s: float = 30) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.reader = self.sock.makefile("rb")

    def ask(self, path: str, body: bytes = b"{}") -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.sock.sendall(head.encode() + body)

    def head(self) -> tuple[int, dict[str, str]]:
        line = self.reader.readline()
        if not line:
            raise ConnectionResetError("closed before an answer")
        status = int(line.split()[1])
        headers = {}
        while (line := self.reader.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self.reader.read(int(headers["content-length"]))
        parts = []
        while size := int(self.reader.readline(), 16):
            parts.append(self.reader.read(size))
            if len(parts[-1]) != size:
                raise ValueError("cut short")
            self.reader.readline()
        self.reader.readline()
        return b"".join(parts)

    def fetch(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.ask(path)
        status, headers = self.head()
        return status, headers, self.body(headers)

    def close(self) -> None:
        self.reader.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


def fetch(port: int, path: str = "/lab/quick") -> int:
    """One request on a connection of its own; its status."""
    with Client(port) as client:
        return client.fetch(path)[0]
