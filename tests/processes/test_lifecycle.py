import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.config.paths import paths_for, prepare
from tokenpak.processes import lifecycle
from tokenpak.processes.lifecycle import Exit, back_off, boot, pause_after, ready, unready


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    return found


@contextmanager
def running(code: str, **environ: str):
    """A child that prints a word when it has come to the point under test."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, **environ}
    )
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_first_start_and_a_killed_process_come_back_at_once():
    assert pause_after([], 100.0, 1.0) == 0
    assert pause_after([99.9], 100.0, 1.0) == 0
    assert pause_after([99.8, 99.9], 100.0, 1.0) == 0


def test_a_crash_loop_slows_down_to_the_cap():
    boots, now, pauses = [], 100.0, []
    for _ in range(10):
        pauses.append(pause_after(boots, now, 1.0))
        now += pauses[-1]
        boots.append(now)
        now += 0.3
    assert pauses == pytest.approx([0, 0, 0, 0.1, 0.2, 0.4, 0.8, 1, 1, 1])


def test_one_long_life_forgives_everything():
    boots = [90.0, 90.1, 90.2, 90.3, 90.4]
    assert pause_after(boots, 90.5, 4.0) > 0
    assert pause_after(boots, 90.4 + lifecycle.QUICK_S, 4.0) == 0


def test_starts_before_a_reboot_do_not_count():
    assert pause_after([9000.1, 9000.2, 9000.3, 9000.4], 12.0, 1.0) == 0


@given(st.lists(st.floats(0, 1e6)), st.floats(0, 1e6), st.sampled_from([1.0, 4.0]))
def test_no_history_asks_for_more_than_the_cap(boots, now, cap):
    assert 0 <= pause_after(boots, now, cap) <= cap


def starting(paths, name):
    """back_off as a new process would call it."""
    lifecycle._started.clear()
    return back_off(paths, name)


def test_a_process_starts_once(paths):
    for _ in range(6):
        assert back_off(paths, "writer") == 0
    assert len((paths.boots / "writer").read_text().split()) == 1


def test_back_off_remembers_starts_across_processes(paths, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: 50 + next(clock) * 0.05)
    pauses = [starting(paths, "writer") for _ in range(12)]
    assert pauses[:3] == [0, 0, 0]
    assert pauses[3] == pytest.approx(0.1)
    assert max(pauses) == lifecycle.OTHER_CAP_S
    assert sum(slept) > 0
    assert back_off(paths, "control") == 0
    assert len((paths.boots / "writer").read_text().split()) <= lifecycle.BOOTS_KEPT


@pytest.mark.parametrize("name", ["worker_00", "front_02"])
def test_those_who_serve_wait_a_second_at_most(paths, monkeypatch, name):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: 50 + next(clock) * 0.01)
    assert max(starting(paths, name) for _ in range(14)) == lifecycle.SERVING_CAP_S


@pytest.mark.parametrize("content", ["", "torn 1.0 x", "\x00"])
def test_back_off_survives_a_bad_record(paths, content):
    (paths.boots / "writer").write_text(content)
    assert back_off(paths, "writer") == 0


def test_back_off_never_fails(paths):
    (paths.boots / "writer").mkdir()
    assert back_off(paths, "writer") == 0


def test_boot_takes_the_name(paths):
    taken = boot(paths, "control")
    assert (paths.boots / "control.pid").read_text().strip() == str(os.getpid())
    assert (paths.boots / "control").exists()
    taken.release()


def test_the_parent_is_who_the_launcher_says(monkeypatch):
    monkeypatch.delenv(lifecycle.SUPERVISOR_VARIABLE, raising=False)
    assert not lifecycle.parent_gone()
    monkeypatch.setenv(lifecycle.SUPERVISOR_VARIABLE, str(os.getppid()))
    assert not lifecycle.parent_gone()
    monkeypatch.setenv(lifecycle.SUPERVISOR_VARIABLE, "1")
    assert lifecycle.parent_gone() == (os.getppid() != 1)


async def test_watch_parent_returns_when_the_parent_changes(monkeypatch, autojump_clock):
    with trio.move_on_after(100) as scope:
        await lifecycle.watch_parent()
    assert scope.cancelled_caught
    monkeypatch.setattr(os, "getppid", lambda: -1)
    with trio.fail_after(1):
        await lifecycle.watch_parent()


TRIO_PROCESS = """
import trio
from tokenpak.processes import lifecycle
async def main():
    async with trio.open_nursery() as nursery:
        async def stop():
            print(await lifecycle.wait_for_stop(), flush=True)
            await trio.sleep(1)
        nursery.start_soon(stop)
        await trio.sleep(0.1)
        print("up", flush=True)
trio.run(main)
"""

SYNC_PROCESS = """
import time
from tokenpak.processes import lifecycle
lifecycle.stop_by_exception()
try:
    print("up", flush=True)
    time.sleep(60)
except lifecycle.Stop:
    print("stop", flush=True)
    time.sleep(1)
"""


@pytest.mark.parametrize(("code", "word"), [(TRIO_PROCESS, "signal"), (SYNC_PROCESS, "stop")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_the_second_ends(code, word, number):
    with running(code) as process:
        process.send_signal(number)
        assert process.stdout.readline() == f"{word}\n"
        assert process.poll() is None
        time.sleep(0.05)  # a second signal in the same instant merges with the first
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == Exit.STOPPED_TWICE


MIDDLE = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]], check=False)"


@pytest.mark.parametrize(("code", "word"), [(TRIO_PROCESS, "parent"), (SYNC_PROCESS, "stop")])
def test_an_orphan_drains(code, word):
    middle = subprocess.Popen([sys.executable, "-c", MIDDLE, code], stdout=subprocess.PIPE, text=True)
    assert middle.stdout.readline() == "up\n"
    middle.kill()
    middle.wait()
    assert middle.stdout.readline() == f"{word}\n"
    assert middle.stdout.read() == ""
    middle.stdout.close()


def test_ready_names_this_process_and_unready_spares_a_successor(paths):
    ready(paths, 1)
    assert paths.ready_file(1).read_text().strip() == str(os.getpid())
    unready(paths, 1)
    assert not paths.ready_file(1).exists()
    unready(paths, 1)
    paths.ready_file(1).write_text("1\n")
    unready(paths, 1)
    assert paths.ready_file(1).exists()


def test_release_listener_gives_the_port_back():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = (
            "import sys\nfrom tokenpak.processes.lifecycle import release_listener\nrelease_listener()\n"
            "print('up', flush=True)\nsys.stdin.read()\nimport time; time.sleep(60)"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdin=listener, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "up\n"
        with socket.create_server(("127.0.0.1", port)):
            pass
        if sys.platform == "linux":
            assert Path(f"/proc/{process.pid}/fd/0").readlink() == Path(os.devnull)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
