import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tokenpak.processes import keeper

SOURCE = Path(keeper.__file__)


def test_it_imports_nothing_to_speak_of():
    """Without the package and without site, as it is run."""
    code = f"import sys; a = set(sys.modules); exec(open({str(SOURCE)!r}).read(), {{}}); print(sorted(set(sys.modules) - a))"
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    assert "typing" not in told
    assert len(told.split(",")) < 20


def test_it_leaves_when_its_parent_is_another():
    begun = time.monotonic()
    keeper.keep(parent=-1)
    assert time.monotonic() - begun < 1


def test_it_holds_the_port_until_supervisord_is_gone():
    middle = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-I', '-S', {str(SOURCE)!r}, str(os.getpid())], stdin=0)"
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", middle], stdin=listener)
    listener.close()
    time.sleep(2 * keeper.PARENT_POLL_S)
    socket.create_connection(("127.0.0.1", port)).close()
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc").exists(), reason="memory is read from /proc")
def test_it_is_small():
    process = subprocess.Popen([sys.executable, "-I", "-S", str(SOURCE), str(os.getpid())])
    try:
        time.sleep(0.3)
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        private = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private"))
        assert private < 8_000
    finally:
        process.kill()
        process.wait()
