"""docs/discussion against what it names: each claim has a file and a test, and figures are those of the code."""

import re

import pytest

from tests import test_security_page as security
from tests.docs import pages
from tokenpak.config.settings import Settings
from tokenpak.control import restart, stop_times
from tokenpak.ipc import credit
from tokenpak.processes import front, writer
from tokenpak.processes.lifecycle import Exit
from tokenpak.proxy import connection, exchange, protocol, server
from tokenpak.services import dispatch, journal, pool, record, upstream

NAMES = ("closing", "draining", "backpressure")
PAGES = {name: pages.read(f"discussion/{name}.md") for name in NAMES}
DEFAULT = Settings(state_dir="/nowhere")
MIB = 2**20


def claims(page):
    """Rows of tables that tell where a claim lives and what shows it: the claim, files, tests."""
    tables = re.findall(r"^\| [^|]+ \| where \| test \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", page, re.MULTILINE)
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for each in tables for row in each.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_names_a_file_and_a_test(name):
    told = claims(PAGES[name])
    assert len(told) > 15
    for claim, where, shown in told:
        assert re.fullmatch(r"`tokenpak/[\w/]+\.py`", where), claim
        assert "::test_" in shown, claim


@pytest.mark.parametrize(
    ("file", "name"), sorted({each for page in PAGES.values() for each in pages.named_tests(page)})
)
def test_the_tests_named_exist(file, name):
    security.test_the_tests_named_exist(file, name)


@pytest.mark.parametrize("name", NAMES)
def test_the_files_named_exist(name):
    files = re.findall(r"`(tokenpak/[\w/]+\.py)`", PAGES[name])
    assert [file for file in files if not (pages.ROOT / file).exists()] == []


@pytest.mark.parametrize("name", [*(f"discussion/{name}.md" for name in NAMES), "quickstart.md", "troubleshooting.md"])
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([\w/.-]+)\)", pages.read(name))
    assert [link for link in links if not (pages.DOCS / name).parent.joinpath(link).exists()] == []


def test_the_bounds_of_a_drain():
    page, drain_s = PAGES["draining"], DEFAULT.drain_s
    groups = (stop_times.CONTROL_S, stop_times.WORKER_S, stop_times.WRITER_S)
    assert f"seconds, with `drain_s` {drain_s:g}" in page
    assert f"| the front | its requests | {drain_s:g} |" in page
    assert f"| supervisord (`stopwaitsecs`) | the front | {stop_times.front_s(drain_s)} |" in page
    assert "| control, each worker, the writer | {}, {}, {} |".format(*groups) in page
    assert f"| `tokenpak serve` | supervisord | {stop_times.supervisord_s(drain_s)} |" in page
    assert f"| `tokenpak serve` | {stop_times.service_s(drain_s)} |" in page
    assert f"{front.LAST_WORDS_S:g} seconds later connections are cut" in page
    assert f"hands over its rows, for {record.SETTLE_S:g} seconds" in page
    assert f"has {restart.READY_S:g} seconds to be ready" in page
    assert f"Exit code {Exit.DONE}: drained. {Exit.DRAIN_CUT}: cut at the bound. {Exit.STOPPED_TWICE}: a second" in page


def test_what_ends_within_a_bound_has_the_time_it_needs():
    assert exchange.LAST_WORD_S < front.LAST_WORDS_S
    assert front.LAST_WORDS_S + record.SETTLE_S < stop_times.FRONT_MARGIN_S
    assert writer.DRAIN_S + writer.FLUSH_MS / 1000 < stop_times.WRITER_S


def test_the_figures_of_closing():
    page = PAGES["closing"]
    assert connection.LINGER_S == 0.5
    assert "reads on for half a second" in page
    assert f"for {protocol.REST_S:g} seconds at most" in page
    assert f"takes nothing for {connection.WRITE_S / 60:g} minutes" in page
    assert f"within {connection.AHEAD_BOUND // MIB} MiB" in page


def test_the_figures_of_backpressure():
    page, limits = PAGES["backpressure"], pool.Limits()
    assert f"{connection.QUEUE} pieces of {connection.RECEIVE // 1024} KiB ahead" in page
    assert f"kept up to {connection.AHEAD_BOUND // MIB} MiB" in page
    assert f"taking nothing has a bound too, {connection.WRITE_S / 60:g} minutes" in page
    assert f"{upstream.ACTIVE_BOUND} under way to providers" in page
    assert f"in the kernel, {server.BACKLOG} of them" in page
    assert f"holds {credit.LIMIT} unanswered jobs" in " ".join(page.split())
    assert f"The line has {limits.waiting} places" in page
    assert f"{DEFAULT.job_base_s:g} s and {DEFAULT.job_per_mb_s:g} s for each million bytes" in page
    assert f"large jobs ({credit.LARGE // 10**6} MB)" in page
    assert f"for a worker, {dispatch.Limits().patience_s:g} seconds at" in page
    assert f"window in memory ({record.WINDOW_BYTES // MIB} MiB)" in page
    assert f"journal alone ({journal.JOURNAL_BYTES // MIB} MiB)" in page
    assert f"in memory up to {record.MEMORY_BYTES // MIB} MiB" in page
    assert record.RESEND_S == 1
    assert f"asked, {record.PROBE} events a second" in page
