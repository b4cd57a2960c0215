import os
import subprocess
import time

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control import vitals
from tokenpak.control.instance import lock_instance
from tokenpak.control.vitals import resident_bytes, restarts


def test_memory_is_what_the_system_says(monkeypatch):
    here = os.getpid()
    direct = resident_bytes([here, 2**30])
    assert set(direct) == {here}
    assert direct[here] > 2**20
    by_ps = vitals._from_ps([here])
    assert set(by_ps) == {here}
    assert by_ps[here] > 2**20
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kw: (_ for _ in ()).throw(OSError))
    assert vitals._from_ps([here]) == {}


def test_starts_of_this_tree_are_counted_and_no_earlier_ones(tmp_path):
    paths = paths_for(tmp_path)
    prepare(paths)
    assert restarts(paths, ["writer"]) == {}
    with lock_instance(paths):
        now = time.monotonic()
        (paths.boots / "writer").write_text(f"{now - 500:.3f}\n{now + 1:.3f}\n{now + 2:.3f}\n{now + 3:.3f}\n")
        (paths.boots / "control").write_text("torn")
        assert restarts(paths, ["writer", "control", "front_01"]) == {"writer": 2, "control": 0, "front_01": 0}
