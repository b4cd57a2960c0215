import time

import pytest
from money_lab import told

from tests.integrations.house import House
from tokenpak.integrations.call import Patience, call
from tokenpak.integrations.catalog import integration_of
from tokenpak.telemetry.book import Book

CODEX = integration_of("codex")


@pytest.fixture
def house(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    return House(tmp_path, PATH=f"{folder}:/usr/bin:/bin", MARK="from the shell")


def program(house, script):
    """What stands for the client on PATH."""
    file = house.machine.here / "bin" / "codex"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def record(house, client, number=1, seconds=60, method="POST", **more):
    """A request that came so many seconds from now, so that it is one after the call."""
    house.paths.state.mkdir(exist_ok=True)
    book = Book(house.paths.database)
    book.commit(told(number, time.time_ns() + seconds * 10**9, {"client": client, "method": method}, **more))
    book.close()


def made(house, **patience):
    return call(CODEX, house.machine, house.paths, Patience(**{"call_s": 20, "row_s": 0, **patience}))


def test_without_its_program_no_call_is_made(house):
    found = call(CODEX, house.machine, house.paths)
    assert not found.well
    assert "codex is not on PATH" in found.words
    assert "no command" in call(integration_of("openai-sdk"), house.machine, house.paths).words


def test_its_row_is_the_proof(house):
    program(house, "exit 0")
    record(house, "codex")
    found = made(house)
    assert found.well
    assert "it was called; its request is" in found.words


def test_requests_of_others_and_of_before_are_none(house):
    program(house, "exit 0")
    assert "none of its requests has come here" in made(house).words
    record(house, "aider")
    assert not made(house).well
    record(house, "codex", number=2, seconds=-60)
    assert not made(house).well


def test_a_client_that_only_knocked_has_not_called(house):
    program(house, "exit 0")
    record(house, "codex", method="GET", status=426)
    assert "none of its requests has come here" in made(house).words


def test_a_request_that_failed_is_not_well(house):
    program(house, "exit 3")
    record(house, "codex", status=401)
    found = made(house)
    assert not found.well
    assert "it ended with 3" in found.words
    assert "status 401" in found.words


def test_it_runs_in_an_empty_directory_with_the_users_surroundings_and_asks_nothing(house):
    out = house.machine.here / "out"
    program(
        house, f'{{ pwd; ls -A | wc -l; echo "$MARK"; cat; echo "$@"; }} > {out}; echo planted-secret; echo "$MARK" >&2'
    )
    found = made(house)
    where, files, mark, words = out.read_text().splitlines()
    assert "tokenpak-verify-" in where
    assert (files.strip(), mark) == ("0", "from the shell")
    assert words.endswith("Say ok.")
    assert "planted" not in found.words


def test_one_that_does_not_end_is_ended(house):
    program(house, "exec sleep 600")
    assert "did not end within 0.2 s" in made(house, call_s=0.2).words
