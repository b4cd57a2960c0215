"""requirements.lock against pyproject.toml: every dependency is pinned within its bounds and known by hash, and by nothing
else: no address, no option, so it means the same wherever it is installed from.
"""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+) \\$", LOCK, re.MULTILINE))
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def test_every_dependency_is_pinned_within_its_bounds():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for each in map(Requirement, wanted):
        pinned = PINNED[canonicalize_name(each.name)]
        assert each.specifier.contains(pinned), each


def test_every_line_is_a_pin_or_a_hash_and_every_pin_has_one():
    blocks = re.split(r"\n(?=\S)", "\n".join(line for line in LOCK.splitlines() if not line.startswith("#")))
    assert len(blocks) == len(PINNED) > 40
    for block in blocks:
        pin, *hashes = block.strip("\n").split("\n")
        assert re.fullmatch(r"[a-z0-9._-]+==\S+ \\", pin)
        assert hashes
        assert all(HASH.fullmatch(line) for line in hashes)


def test_the_lock_names_no_place_to_fetch_from():
    assert not re.search(r"://|--index|--find-links|--trusted|file:", LOCK)


def test_the_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^audit: .*\n\t.*pip-audit --strict .*requirements\.lock$", makefile, re.MULTILINE)
    assert re.search(r"^lock: ", makefile, re.MULTILINE)
