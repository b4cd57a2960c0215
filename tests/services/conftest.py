"""Fixtures of the tests of dispatch: a plan memory of its own, and workers that are asked in this process."""

from pathlib import Path

import pytest

from tests.services.dispatching import Workers
from tokenpak.services.memory import PlanMemory


@pytest.fixture
def memory(tmp_path: Path) -> PlanMemory:
    return PlanMemory(tmp_path / "plans", 2**20)


@pytest.fixture
def workers() -> Workers:
    return Workers()
