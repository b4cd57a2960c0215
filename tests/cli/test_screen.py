from tokenpak.cli.screen import Process, Status, in_words
from tokenpak.control.states import State
from tokenpak.control.today import Added, Today


def status(state=State.READY, **more):
    facts = {
        "version": "1.2.3",
        "url": "http://127.0.0.1:8766",
        "state_dir": "/s",
        "pid": 7,
        "degraded": (),
        "processes": (),
        "today": Today(trouble="no request recorded yet"),
        "limits": {},
        "halted": (),
        "statistics": None,
    }
    return Status(state=state, **(facts | more))


def process(name, group, state, **more):
    facts = {"pid": None, "uptime_s": None, "restarts": None, "rss_bytes": None, "log": ""}
    return Process(name=name, group=group, state=state, **(facts | more))


def test_the_slot_that_waits_is_no_failure():
    front = process("front_02", "front", "EXITED", restarts=0)
    writer = process("writer", "writer", "EXITED", restarts=3)
    out = in_words(status(processes=(front, writer))).splitlines()
    assert out[2].split() == ["front:front_02", "STANDBY", "0"]
    assert out[3].split() == ["writer", "EXITED", "3"]


def test_what_is_not_known_is_not_shown():
    out = in_words(status(statistics={"front": None, "journal": "?"}))
    assert "under way" not in out
    assert "journal" not in out
    assert "today: no request recorded yet" in out


def test_figures_of_today_with_and_without_money():
    added = Added(10, 1.25, 9.04)
    known = Today(5, 1_250_000_000, 2, -10_000_000, added)
    assert in_words(status(today=known)).splitlines()[1] == (
        "today: 5 requests, $1.25, 2 without a cost, compression saved -$0.01, "
        "added p50 1.2 ms, p99 9.0 ms over the latest 10"
    )
    assert in_words(status(today=Today(5, None, 0, None, None))).splitlines()[1] == "today: 5 requests"


def test_it_stays_on_one_screen():
    processes = tuple(process(f"worker_{n:02d}", "worker", "RUNNING", pid=n) for n in range(8))
    assert len(in_words(status(processes=processes, degraded=("x",) * 3)).splitlines()) <= 24


def test_stopped_is_short_and_still_tells_of_today():
    out = in_words(status(State.STOPPED, today=Today(5, None, 0, None, None)))
    assert out == "TokenPak 1.2.3  stopped  (state directory /s)\ntoday: 5 requests"
