import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from store_lab import at, eventually, name_of

from tokenpak.cli.commands import events as module
from tokenpak.cli.commands.events import BadMoment, chronological, events, moment_ns
from tokenpak.config.paths import paths_for
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.queries import Reader

NOW_NS = 1_800_000_000 * 10**9


@pytest.fixture
def state(tmp_path):
    """A store with requests 1 to 7 that have ended, a second apart, and 8 that has not."""
    place = paths_for(tmp_path)
    book = Book(place.database)
    for number in range(1, 8):
        assert book.commit(at(number, number * 10**9))
    assert book.commit(at(8, 8 * 10**9)[:1])
    book.close()
    return tmp_path


def printed(capsys):
    out = capsys.readouterr().out
    assert out == "" or out.endswith("\n")
    return [json.loads(text) for text in out.splitlines()]


def test_the_stores_own_form_oldest_first(state, capsys):
    assert events(state_dir=state) == 0
    rows = printed(capsys)
    assert [row["id"] for row in rows] == [name_of(number) for number in range(1, 8)]
    assert rows[0]["usage"]["cache_read"] == 20


def test_events_of_tip(state, capsys):
    assert events(tip=True, state_dir=state) == 0
    found = printed(capsys)
    assert [event["request_id"] for event in found] == [f"client-{number}" for number in range(1, 8)]
    assert {event["tip_version"] for event in found} == {"TIP-1.0"}


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"limit": 3}, [5, 6, 7]),
        ({"limit": 0}, []),
        ({"since": "1970-01-01T00:00:06+00:00"}, [6, 7]),
        ({"since": "1970-01-01T00:00:02+00:00", "limit": 2}, [6, 7]),
        ({"since": "1h"}, []),
        ({"since": "all"}, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_how_far_back(state, capsys, options, numbers):
    assert events(state_dir=state, **options) == 0
    assert [row["id"] for row in printed(capsys)] == [name_of(number) for number in numbers]


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8, 9])
@pytest.mark.parametrize("most", [0, 1, 3, 7, 100])
@pytest.mark.parametrize("since", [0, 1, 4, 7, 8, 9])
def test_pages_do_not_show(state, page, most, since):
    with Reader(paths_for(state).database) as reader:
        found = [row.id for row in chronological(reader, since * 10**9, most, page)]
    wanted = [name_of(number) for number in range(max(1, since), 8)]
    assert found == (wanted[-most:] if most else [])


def test_no_store_is_said_in_one_line(tmp_path, capsys):
    assert events(state_dir=tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"tokenpak: there is no store yet: no request was recorded in {tmp_path}. ")
    assert "tokenpakctl start" in said
    assert "--state-dir" in said
    assert said.count("\n") == 1


def test_a_time_that_cannot_be_read_is_said_before_there_is_a_store(tmp_path, capsys):
    assert events(since="yesterday", state_dir=tmp_path) == 1
    assert (
        "--since 'yesterday': write an age such as 6h, a time such as 2026-02-01T09:30, or all"
        in capsys.readouterr().err
    )


def test_a_time_that_cannot_be_read_is_said_in_one_line(state, capsys):
    assert events(since="yesterday", state_dir=state) == 1
    assert "--since 'yesterday': write an age such as 6h" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("90m", 5400), ("6h", 21600), ("7d", 604800), ("1w", 604800)])
def test_ages(text, seconds):
    assert moment_ns(text, NOW_NS) == NOW_NS - seconds * 10**9


def test_times():
    assert moment_ns("2026-02-01T09:30:00+01:00", NOW_NS) == 1769934600 * 10**9
    local = datetime(2026, 2, 1).astimezone(UTC)
    assert moment_ns("2026-02-01", NOW_NS) == int(local.timestamp()) * 10**9


@pytest.mark.parametrize("text", ["", "6", "h", "-6h", "6 h", "1y", "2026-13-01", "12:00"])
def test_no_times(text):
    with pytest.raises(BadMoment):
        moment_ns(text, NOW_NS)


def test_a_reader_that_has_seen_enough_is_no_error(state):
    command = [sys.executable, "-m", "tokenpak.cli.main", "events", "--state-dir", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


# What ends from now on


@pytest.fixture
def book(state):
    it = Book(paths_for(state).database)
    yield it
    it.close()


def names(rows):
    return [row.id for row in rows]


def test_what_ends_while_the_past_is_read_is_told_once(state, book, monkeypatch):
    monkeypatch.setattr(module, "_is_read", lambda wait_s: True)
    with Reader(paths_for(state).database) as reader:
        looks = module._followed(reader, 0, 100)
        past = next(looks)
        assert book.commit(at(8, 8 * 10**9)[1:] + at(9, 9 * 10**9))
        assert names(past) == [name_of(number) for number in range(1, 8)]
        assert names(next(looks)) == [name_of(9), name_of(8)]


@contextmanager
def running(state, *options):
    """The command as a process, and the lines it has printed."""
    command = [sys.executable, "-m", "tokenpak.cli.main", "events", "--follow", "--state-dir", str(state), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        reading = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
        reading.start()
        try:
            yield process, lines
        finally:
            process.kill()
            reading.join(20)


def ends(book, lines):
    """Ends one more request each time, until there are lines enough."""
    following = iter(range(100, 10_000))
    return lambda count: eventually("lines", lambda: book.commit(at(next(following), 1)) and len(lines) >= count)


@pytest.mark.parametrize("options", [(), ("--tip",)])
def test_events_come_as_they_end_and_ctrl_c_is_no_error(state, book, options):
    with running(state, "--limit", "3", *options) as (process, lines):
        eventually("the past", lambda: len(lines) >= 3)
        ends(book, lines)(6)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    told = [json.loads(line) for line in lines]
    key = [each["ext"]["tokenpak"]["id"] if options else each["id"] for each in told]
    assert key[:3] == [name_of(5), name_of(6), name_of(7)]
    assert key[3:] == [name_of(number) for number in range(100, 100 + len(key) - 3)]


def test_without_more_only_what_ends_from_now_on(state, book):
    with running(state) as (_, lines):
        ends(book, lines)(2)
    assert {json.loads(line)["id"] for line in lines}.isdisjoint(name_of(number) for number in range(1, 9))


def test_a_reader_that_goes_away_while_nothing_happens_ends_it(state):
    command = [
        sys.executable,
        "-m",
        "tokenpak.cli.main",
        "events",
        "--follow",
        "--limit",
        "1",
        "--state-dir",
        str(state),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["id"] == name_of(7)
        process.stdout.close()
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
        assert process.stderr.read() == ""


def test_a_store_that_is_not_there_cannot_be_followed(tmp_path, capsys):
    assert events(follow=True, state_dir=tmp_path) == 1
    assert "there is no store yet" in capsys.readouterr().err
