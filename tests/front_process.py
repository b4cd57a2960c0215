"""A serving slot as supervisord starts it: the real program, with a listening socket as descriptor 0."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trio
import wire

from tokenpak.config.paths import prepare
from tokenpak.config.settings import Settings, write_settings

START_S = 20


class Slot:
    """process: the running program. port: where it listens. log: what it wrote."""

    def __init__(self, settings, number, listener, log):
        self.settings = settings
        self.number = number
        self.port = listener.getsockname()[1]
        self._log = log
        environ = {**os.environ, "TOKENPAK_SETTINGS": str(settings.paths.settings_file), "TOKENPAK_SLOT": str(number)}
        environ.pop("TOKENPAK_SUPERVISOR_PID", None)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tokenpak.processes.start", "front"],
            env=environ,
            stdin=listener.fileno(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    @property
    def ready_file(self):
        return self.settings.paths.ready_file(self.number)

    @property
    def log(self):
        self._log.flush()
        return Path(self._log.name).read_text()

    async def is_ready(self):
        with trio.fail_after(START_S):
            while not self.ready_file.exists():
                assert self.process.poll() is None, self.log
                await trio.sleep(0.01)
        assert int(self.ready_file.read_text()) == self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    async def exit_code(self, within_s):
        """The exit code; fails when there is none in time."""
        await wire.wait_until(lambda: self.process.poll() is not None, within_s)
        return self.process.returncode

    async def statistics(self):
        transport = httpx.AsyncHTTPTransport(uds=str(self.settings.paths.front_sock(self.number)))
        async with httpx.AsyncClient(transport=transport, base_url="http://front", trust_env=False) as client:
            return json.loads((await client.get("/statistics")).content)


@asynccontextmanager
async def slot(url, **settings):
    """Slot 1 with all upstreams at `url`, ended by force if the test has not ended it."""
    names = dict.fromkeys(("anthropic", "openai", "google", "ollama"), url)
    with (
        tempfile.TemporaryDirectory(prefix="tp-") as directory,
        socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
        (Path(directory) / "log").open("w") as log,
    ):
        made = Settings(state_dir=directory, upstreams=names, workers=1, **settings)
        prepare(made.paths)
        write_settings(made)
        it = Slot(made, 1, listener, log)
        try:
            await it.is_ready()
            yield it
        finally:
            it.process.kill()
            it.process.wait()
