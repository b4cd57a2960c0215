"""docs/security.md against the tests it names, and its example against the configuration."""

import re
from pathlib import Path

import pytest

from tokenpak.config.settings import load
from tokenpak.proxy import connection, protocol

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
HOLDS = PAGE[PAGE.index("\n## What holds") : PAGE.index("\n## What does not hold")]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_claim_names_a_test():
    claims = [row for row in re.findall(r"^\| (?!claim|---)(.+) \|$", HOLDS, re.MULTILINE) if not row.startswith("---")]
    assert len(claims) > 20
    assert [claim for claim in claims if "::test_" not in claim] == []


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_the_tests_named_exist(file, name):
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_files_that_are_mentioned_exist():
    assert all((ROOT / file).exists() for file in re.findall(r"tests/[\w/]+\.py", PAGE))


def test_the_example_is_a_configuration(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(example)
    assert list(load(file, {}, {}).tokens) == ["laptop"]


def test_limits_are_those_of_the_code():
    assert f"{protocol.MOST_LINES} lines" in PAGE
    assert f"{connection.HEAD_S:g} s from its first byte; {connection.BODY_S:g} s without a byte" in PAGE
    assert f"after {connection.WRITE_S / 60:g} minutes" in PAGE
    assert connection.AHEAD_BOUND == 2**20
    assert load(None, {}, {}).header_limit_bytes == 64 * 1024
