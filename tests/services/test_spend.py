import os
import threading

import pytest

from tokenpak.core.budget import Payer
from tokenpak.services import spend
from tokenpak.services.spend import Held, Settled, SpendFile, Total, shortened

MONTH = "2026-11"
PAYER = Payer("2026-11-28", "codex", "s", "m")


class Slot:
    """A slot that keeps what it took in."""

    def __init__(self, path):
        self.lines = []
        self.file = SpendFile(path, self.lines.append)

    def say(self, *lines):
        for line in lines:
            self.file.write(MONTH, lambda line=line: line)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spend"


A, B = Held("a", PAYER, 7), Held("b", PAYER, None)
END = Settled("a", 5)


def test_slots_take_in_each_others_lines_once_and_in_one_order(path):
    one, two = Slot(path), Slot(path)
    one.say(A)
    two.say(B)
    one.say(END)
    assert one.lines == [A, B, END]
    two.say()
    two.file.write(MONTH, lambda: None)
    assert two.lines == [A, B, END]
    assert Slot(path).lines == [A, B, END]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_decision_sees_everything_before_it(path):
    one, two = Slot(path), Slot(path)
    one.say(A)
    seen = []
    two.file.write(MONTH, lambda: seen.extend(two.lines))
    assert seen == [A]


def test_a_torn_line_is_cut_off_and_damage_is_counted(path):
    Slot(path).say(A)
    with path.open("ab") as file:
        file.write(b'["held","x",["20')
    slot = Slot(path)
    slot.say(END)
    assert Slot(path).lines == [A, END]
    with path.open("ab") as file:
        file.write(b'["of another version"]\n')
    slot.say(B)
    assert slot.lines == [A, END, B]
    assert slot.file.trouble().unread == 1


def test_a_file_grown_too_long_is_written_anew_under_the_eyes_of_other_slots(path, monkeypatch):
    monkeypatch.setattr(spend, "LONGEST_BYTES", 4096)
    one, two = Slot(path), Slot(path)
    two.say(A)
    for number in range(100):
        one.say(Held(f"n{number}", PAYER, 3), Settled(f"n{number}", 2))
    assert path.stat().st_size < 4096 + 200
    two.say(B)
    one.file.write(MONTH, lambda: None)
    assert len(one.lines) == 202
    assert two.lines == one.lines
    later = Slot(path).lines
    totals = [line for line in later if isinstance(line, Total)]
    settled = [line.cost for line in later if isinstance(line, Settled)]
    assert sum(line.cost for line in totals) + sum(settled) == 200
    assert A in later
    assert later[-1] == B


def test_shortened():
    old = Payer("2026-10-31", "codex", "s", "m")
    lines = [Held("o", old, 1), Held("p", old, 1), Settled("p", 1), Total(PAYER, 10, 1), Total(old, 4, 0), A, B, END]
    lines += [Settled("b", None), Settled("unknown", 9), Held("c", PAYER, 2)]
    assert shortened(lines, MONTH) == [Total(PAYER, 15, 2), Held("c", PAYER, 2)]


def test_a_disk_that_refuses_costs_agreement_only_until_it_is_over(path, monkeypatch):
    slot = Slot(path)
    real = os.write

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    slot.say(A)
    assert slot.lines == [A]
    assert (slot.file.trouble().unsaved, slot.file.trouble().reason) == (1, "No space left on device")
    monkeypatch.setattr(os, "write", real)
    slot.say(END)
    assert slot.file.trouble() == (0, 0, "")
    assert Slot(path).lines == [A, END]


def test_half_a_line_on_a_full_disk_is_taken_back(path, monkeypatch):
    slot = Slot(path)
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    slot.say(A)
    assert path.read_bytes() == b""
    assert slot.file.trouble().unsaved == 1
    monkeypatch.setattr(os, "write", real)
    slot.say(END)
    assert Slot(path).lines == [A, END]


def test_no_place_at_all(tmp_path):
    slot = Slot(tmp_path / "missing" / "spend")
    slot.say(A)
    assert slot.lines == [A]
    assert slot.file.trouble().reason == "No such file or directory"
    (tmp_path / "missing").mkdir()
    slot.say(END)
    assert Slot(tmp_path / "missing" / "spend").lines == [A, END]


def test_the_oldest_lines_go_when_too_many_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(spend, "BACKLOG", 2)
    slot = Slot(tmp_path / "missing" / "spend")
    slot.say(A, B, END)
    assert slot.file.trouble().unsaved == 3
    assert slot.lines == [A, B, END]


def test_many_at_once_never_tear_a_line(path):
    slots = [Slot(path) for _ in range(4)]

    def work(slot, name):
        for number in range(50):
            slot.say(Held(f"{name}{number}", PAYER, 1))

    threads = [threading.Thread(target=work, args=(slot, index)) for index, slot in enumerate(slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for slot in slots:
        slot.file.write(MONTH, lambda: None)
    assert sorted(line.id for line in slots[0].lines) == sorted(f"{i}{n}" for i in range(4) for n in range(50))
    assert all(slot.file.trouble().unread == 0 for slot in slots)


def test_a_file_that_went_missing_is_begun_again_and_nothing_counted_twice(path):
    slot = Slot(path)
    slot.say(A)
    path.unlink()
    slot.say(B)
    assert slot.lines == [A, B]
    assert Slot(path).lines == [B]
    slot.file.close()
