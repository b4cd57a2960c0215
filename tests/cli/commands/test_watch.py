import json
import signal
import subprocess
import sys
import threading
import time

import pytest
from money_lab import told
from report_lab import fill
from store_lab import eventually, name_of

from tests.cli.terminal import Terminal
from tokenpak.cli.commands import watch as module
from tokenpak.cli.commands.requests import HEAD
from tokenpak.config.paths import paths_for
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.following import Following
from tokenpak.telemetry.queries import Reader


@pytest.fixture
def book(tmp_path):
    it = Book(paths_for(tmp_path).database)
    yield it
    it.close()


@pytest.fixture
def reader(book, tmp_path):
    with Reader(paths_for(tmp_path).database) as it:
        yield it


def ends(number, at_ns):
    return told(number, at_ns - 10**9, closed_ns=at_ns)


@pytest.mark.parametrize("option", ["", "--json", "--csv"])
def test_rows_come_as_they_end_and_ctrl_c_is_no_error(tmp_path, option):
    fill(tmp_path)
    command = [
        sys.executable,
        "-m",
        "tokenpak.cli.main",
        "watch",
        "--state-dir",
        str(tmp_path),
        *filter(None, [option]),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
        reading.start()
        book = Book(paths_for(tmp_path).database)
        numbers = iter(range(100, 10_000))

        def shown():
            book.commit(ends(next(numbers), time.time_ns()))
            return lines

        eventually("a row is shown", shown)
        book.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        reading.join(20)
        assert process.stderr.read() == ""
    if option == "--json":
        assert json.loads(lines[0])["client"] == "claude-code"
    elif option == "--csv":
        assert lines[0].startswith("id,front,")
    else:
        assert "claude-code" in lines[0]
        assert "\x1b" not in "".join(lines)


def test_a_terminal_has_a_last_line_about_today(reader, book, monkeypatch):
    book.commit(ends(1, time.time_ns()))
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(module.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        module._follow(reader, "text")
    assert sys.stdout.getvalue().endswith("\x1b[Ktoday: 1 request, <$0.0001")


@pytest.mark.parametrize(("columns", "name"), [("200", 36), ("80", 13)])
def test_a_terminal_has_a_head_over_its_columns(reader, book, monkeypatch, columns, name):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(module.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    following = Following(reader)
    monkeypatch.setattr(module, "Following", lambda _: following)
    book.commit(ends(1, time.time_ns()))
    with pytest.raises(KeyboardInterrupt):
        module._follow(reader, "text")
    head, line, _ = sys.stdout.getvalue().split("\n")
    line = line.removeprefix("\r\x1b[K")
    assert head.split() == list(HEAD)
    at = head.index("REQUEST")
    assert line[at : at + name] == name_of(1)[:name]
    assert head.index("CLIENT") == at + name + 2
    assert [line[head.index(word) - 2 :][:2] for word in HEAD[1:]] == ["  "] * len(HEAD[1:])
