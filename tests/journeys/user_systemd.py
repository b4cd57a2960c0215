"""A real `systemd --user` for a journey: that of this session, or one in namespaces of the test's own, where root may make them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

OWN_MANAGER = """
mount -t tmpfs none /run && mount -t cgroup2 none /sys/fs/cgroup || exit 77
mkdir -p /run/systemd/system /run/user/0 && chmod 700 /run/user/0
export XDG_RUNTIME_DIR=/run/user/0
/usr/lib/systemd/systemd --user --log-target=console </dev/null >"$MANAGER_LOG" 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do systemctl --user show-environment >/dev/null 2>&1 && break; sleep 0.3; done
systemctl --user show-environment >/dev/null 2>&1 || exit 77
"""
"""Starts one in the namespaces of `systemd_shell`; exit code 77 where that cannot be done."""


def systemd_shell():
    """A command prefix that runs a shell script where `systemd --user` answers, or a reason to skip."""
    if shutil.which("systemctl") is None:
        pytest.skip("no systemd on this machine")
    if subprocess.run(["systemctl", "--user", "show-environment"], capture_output=True, check=False).returncode == 0:
        return ["sh", "-c"]
    if os.getuid() or shutil.which("unshare") is None or not Path("/usr/lib/systemd/systemd").exists():
        pytest.skip("no systemd --user answers in this session")
    return ["unshare", "-m", "-p", "-f", "-C", "--mount-proc", "sh", "-c"]


def is_own(shell):
    """Whether the script has to start one with OWN_MANAGER first."""
    return shell[0] == "unshare"
