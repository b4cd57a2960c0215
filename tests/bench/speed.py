"""Speed against the simplest relay on the same stack, as ratios and differences measured in one run.

    .venv/bin/python tests/bench/speed.py [--runs 3] [--secs 4]

Starts the outside mock, the plain relay and the service (all from the shared place's `bench/`, which needs uvloop,
httptools and orjson in BENCH_PYTHON or this interpreter), drives each with the same load in turn, and prints medians.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.journeys.service import service  # noqa: E402 - the path above makes it importable when run as a script
from tests.shared_place import shared  # noqa: E402 - see above

PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(*command: str, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([PYTHON, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    raise SystemExit(f"did not start: {command}")


def suite(bench: Path, url: str, pid: int, secs: float) -> dict:
    """One pass of the standard load."""
    done = subprocess.run(
        [
            PYTHON,
            str(bench / "load.py"),
            "suite",
            "--url",
            f"{url}/v1/messages",
            "--name",
            url,
            *("--pid", str(pid), "--secs", str(secs), "--real", str(bench.parent / "corpus" / "dev")),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def median(runs: list[dict], *path: str) -> float:
    values = []
    for run in runs:
        value = run
        for key in path:
            value = value[key]
        values.append(float(value))
    return statistics.median(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--secs", type=float, default=4)
    options = parser.parse_args()
    place = shared()
    if place is None:
        raise SystemExit("the shared place with bench/ is not there; set TOKENPAK_SHARED")
    bench = place / "bench"
    mock_port, relay_port = free_port(), free_port()
    mock = started(str(bench / "mock_upstream.py"), "--port", str(mock_port), port=mock_port)
    upstream = f"http://127.0.0.1:{mock_port}"
    relay = started(str(bench / "plain_relay.py"), "--port", str(relay_port), "--upstream", upstream, port=relay_port)
    ours, theirs = [], []
    try:
        with tempfile.TemporaryDirectory() as folder, service(Path(folder), upstream) as running:
            for _ in range(options.runs):
                theirs.append(suite(bench, f"http://127.0.0.1:{relay_port}", relay.pid, options.secs))
                ours.append(suite(bench, running.url, running.process.pid, options.secs))
                urllib.request.urlopen(f"{upstream}/__mock/reset", timeout=5).close()
    finally:
        relay.terminate()
        mock.terminate()
    report(ours, theirs)


def report(ours: list[dict], theirs: list[dict]) -> None:
    def both(*path: str) -> tuple[float, float]:
        return median(ours, *path), median(theirs, *path)

    print(f"{len(ours)} runs, medians: TokenPak / plain relay")
    a, b = both("small_c1", "cpu_ms_per_request")
    print(f"1 KB, 1 connection: CPU a request {a:.3f} / {b:.3f} ms = {a / b:.2f} x")
    a, b = both("small_c64", "cpu_ms_per_request")
    print(f"1 KB, 64 connections: CPU a request {a:.3f} / {b:.3f} ms = {a / b:.2f} x")
    for case in ("small_c1", "small_c64"):
        a, b = both(case, "rps")
        print(
            f"{case}: {a:.0f} / {b:.0f} requests/s; p50 {both(case, 'p50_ms')[0]:.2f} / {both(case, 'p50_ms')[1]:.2f} ms"
        )
    for case in ("large_c1", "large_c8"):
        a, b = both(case, "p50_ms")
        print(f"{case} (400 KB made-up): p50 {a:.1f} / {b:.1f} ms")
    for case in ("real_40k", "real_170k", "real_830k"):
        for sight in ("first_sight", "next_turn"):
            a, b = both(case, f"{sight}_p50_ms")
            print(f"{case} {sight}: p50 {a:.1f} / {b:.1f} ms, added {a - b:.1f} ms")
    a, b = both("stream_100x", "ttfb_p50_ms")
    print(
        f"100 streams: first byte p50 {a:.0f} / {b:.0f} ms = {a / b:.2f} x; errors {ours[-1]['stream_100x']['errors']}"
    )
    print(
        f"errors: {[run[case]['errors'] for run in ours for case in ('small_c1', 'small_c64', 'large_c1', 'large_c8')]}"
    )
    print(
        f"PSS of the tree: {median(ours, 'tree_idle', 'pss_mib'):.0f} MiB at first, {median(ours, 'tree_after', 'pss_mib'):.0f} after"
    )


if __name__ == "__main__":
    main()
