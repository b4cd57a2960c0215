import os
import signal
import stat
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_lab import FRONT, OTHER

from tokenpak.services import journal as journals
from tokenpak.services.journal import Journal, Place, adopt, fronts


def names(directory):
    return sorted(path.name.split(".", 1)[1] for path in directory.iterdir())


@contextmanager
def held(directory, front):
    abandoned = adopt(directory, front)
    assert abandoned is not None
    try:
        yield abandoned
    finally:
        abandoned.release()


def events_of(directory, front=FRONT):
    with held(directory, front) as abandoned:
        return list(abandoned.events())


def segment_file(directory, number=1, front=FRONT):
    return directory / f"{front.hex()}.{number:08d}.events"


def test_what_was_appended_is_found_by_whoever_gets_the_lock(tmp_path):
    journal = Journal(tmp_path, FRONT)
    for seq in range(1, 6):
        assert journal.append(seq, b"event %d" % seq) is not None
    assert fronts(tmp_path) == [FRONT]
    assert adopt(tmp_path, FRONT) is None
    journal.close()
    assert events_of(tmp_path) == [(seq, b"event %d" % seq) for seq in range(1, 6)]


def test_files_are_private(tmp_path):
    Journal(tmp_path, FRONT).append(1, b"x")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_front_without_unacknowledged_events_leaves_nothing(tmp_path):
    journal = Journal(tmp_path, FRONT)
    places = [journal.append(seq, b"x") for seq in range(1, 4)]
    for place in places:
        journal.acknowledge(place.segment)
    journal.close()
    assert names(tmp_path) == []


def test_a_segment_goes_with_its_last_acknowledgement(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 200)
    journal = Journal(tmp_path, FRONT)
    places = [journal.append(seq, b"x" * 50) for seq in range(1, 13)]
    assert {place.segment for place in places} == {1, 2, 3, 4}
    for place in places[3:6] + places[:2]:
        journal.acknowledge(place.segment)
    assert names(tmp_path) == ["00000001.events", "00000003.events", "00000004.events", "lock"]
    journal.acknowledge(1)
    assert names(tmp_path) == ["00000003.events", "00000004.events", "lock"]
    journal.close()
    assert [seq for seq, _ in events_of(tmp_path)] == [7, 8, 9, 10, 11, 12]


def test_an_acknowledged_segment_in_use_is_emptied_and_used_again(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "EMPTIED_BYTES", 100)
    journal = Journal(tmp_path, FRONT)
    for seq in (1, 2, 3):
        place = journal.append(seq, b"x" * 50)
    for _ in range(3):
        journal.acknowledge(place.segment)
    assert segment_file(tmp_path).stat().st_size == 20
    journal.append(4, b"y")
    journal.close()
    assert events_of(tmp_path) == [(4, b"y")]


def test_reading_goes_on_where_it_stopped_over_segments(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 200)
    journal = Journal(tmp_path, FRONT)
    places = [journal.append(seq, b"%03d" % seq * 10) for seq in range(1, 31)]
    found, place = [], places[4]
    while True:
        records, place = journal.read(place, 4)
        if not records:
            break
        assert all(record.segment == places[record.seq - 1].segment for record in records)
        found += records
    assert [(record.seq, record.body) for record in found] == [(seq, b"%03d" % seq * 10) for seq in range(5, 31)]
    journal.append(31, b"later")
    assert [record.seq for record in journal.read(place, 4)[0]] == [31]
    journal.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8), st.data())
def test_a_torn_tail_costs_what_was_torn_and_nothing_before(tmp_path_factory, bodies, data):
    directory = tmp_path_factory.mktemp("journal")
    journal = Journal(directory, FRONT)
    ends = [journal.append(seq, body).offset + 16 + len(body) for seq, body in enumerate(bodies, 1)]
    journal.close()
    file = segment_file(directory)
    cut = data.draw(st.integers(0, ends[-1]))
    file.write_bytes(file.read_bytes()[:cut] + data.draw(st.binary(max_size=40)))
    whole = sum(end <= cut for end in ends)
    with held(directory, FRONT) as abandoned:
        found = list(abandoned.events())
    assert found[:whole] == list(enumerate(bodies, 1))[:whole]
    assert len(found) == whole or cut + 40 >= ends[whole]


def test_a_damaged_record_is_told(tmp_path):
    journal = Journal(tmp_path, FRONT)
    for seq in (1, 2, 3):
        place = journal.append(seq, b"event")
    journal.close()
    with segment_file(tmp_path).open("r+b") as file:
        file.seek(place.offset + 18)
        file.write(b"?")
    with held(tmp_path, FRONT) as abandoned:
        assert [seq for seq, _ in abandoned.events()] == [1, 2]
        assert abandoned.torn == 1


def test_somebody_elses_file_is_not_read_as_events(tmp_path):
    segment_file(tmp_path).write_bytes(b"TPJ1" + OTHER + b"x" * 100)
    (tmp_path / "README").write_text("not a journal")
    assert fronts(tmp_path) == [FRONT]
    assert events_of(tmp_path) == []


def test_deleting_leaves_nothing_and_can_be_repeated(tmp_path):
    for front in (FRONT, OTHER):
        journal = Journal(tmp_path, front)
        journal.append(1, b"x")
        journal.close()
    with held(tmp_path, FRONT) as abandoned:
        segment_file(tmp_path).unlink()
        abandoned.delete()
    assert fronts(tmp_path) == [OTHER]
    with held(tmp_path, FRONT) as abandoned:
        assert list(abandoned.events()) == []
        abandoned.delete()
    assert fronts(tmp_path) == [OTHER]


def test_a_front_finds_its_lock_again_when_the_writer_deleted_the_new_file(tmp_path):
    with held(tmp_path, FRONT) as abandoned:
        journal = Journal(tmp_path, FRONT)
        assert journal.append(1, b"x") is None
        assert journal.trouble == "the journal is locked by another process"
        abandoned.delete()
    assert journal.append(2, b"y") is not None
    assert adopt(tmp_path, FRONT) is None
    journal.close()
    assert events_of(tmp_path) == [(2, b"y")]


def test_the_bound_is_kept_and_lifted_by_acknowledgements(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(journals, "JOURNAL_BYTES", 5000)
    journal = Journal(tmp_path, FRONT)
    places = []
    while (place := journal.append(len(places) + 1, b"x" * 100)) is not None:
        places.append(place)
    assert journal.trouble == "the journal has reached its bound"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 7000
    for place in places:
        journal.acknowledge(place.segment)
    assert journal.append(1000, b"x") is not None
    assert journal.trouble is None
    journal.close()


def test_a_directory_that_is_not_there_is_trouble_and_no_error(tmp_path):
    journal = Journal(tmp_path / "gone", FRONT)
    assert journal.append(1, b"x") is None
    assert journal.trouble == "No such file or directory"
    (tmp_path / "gone").mkdir()
    assert journal.append(2, b"x") == Place(1, 20)
    journal.close()


LIMITED = """
    import resource, sys
    from pathlib import Path
    from tokenpak.services.journal import Journal
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    journal = Journal(Path(sys.argv[1]), bytes(range(16)))
    kept = [seq for seq in range(1, 30) if journal.append(seq, b"e" * 100) is not None]
    assert journal.trouble, journal.trouble
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kept += [seq for seq in range(30, 33) if journal.append(seq, b"e" * 100) is not None]
    assert journal.trouble is None
    journal.close()
    print(kept)
"""


def test_a_write_the_disk_cuts_short_leaves_no_torn_record(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path)], capture_output=True, text=True, check=True
    )
    kept = [1, 2, 3, 4, 5, 6, 7, 8, 30, 31, 32]
    assert ran.stdout.strip() == str(kept)
    with held(tmp_path, FRONT) as abandoned:
        assert [seq for seq, _ in abandoned.events()] == kept
        assert abandoned.torn == 0


STOPPED = """
    import sys, time
    from pathlib import Path
    from tokenpak.services.journal import Journal
    journal = Journal(Path(sys.argv[1]), bytes(range(16)))
    journal.append(1, b"event")
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_stopped_process_keeps_its_journal_and_a_killed_one_does_not(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STOPPED), str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == b"written\n"
            os.kill(process.pid, signal.SIGSTOP)
            assert adopt(tmp_path, FRONT) is None
        finally:
            process.kill()
    assert events_of(tmp_path) == [(1, b"event")]


def test_segments_kept_for_later_hold_no_file_open(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 100)
    journal = Journal(tmp_path, FRONT)
    journal.append(1, b"x")
    before = len(list(Path("/dev/fd").iterdir()))
    for seq in range(2, 200):
        journal.append(seq, b"x" * 90)
    assert len(list(Path("/dev/fd").iterdir())) == before
    journal.close()


@pytest.mark.parametrize("appended", [0, 3])
def test_closing_twice_is_closing_once(tmp_path, appended):
    journal = Journal(tmp_path, FRONT)
    for seq in range(1, appended + 1):
        journal.append(seq, b"x")
    journal.close()
    journal.close()
    assert len(events_of(tmp_path)) == appended
