"""How long the status line takes, as a ratio to a Python that starts and does nothing, measured in turn in one run.

.venv/bin/python tests/bench/start.py [--runs 20] [--rows 20000]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from rows_lab import fill  # noqa: E402 - the path above makes it importable when run as a script

from tokenpak.config.paths import paths_for  # noqa: E402 - see above

SAID = b'{"session_id": "session-1", "model": {"id": "m"}, "cwd": "/"}'


def took(command: list[str]) -> float:
    """Seconds of one process."""
    begun = time.perf_counter()
    subprocess.run(command, input=SAID, capture_output=True, check=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=20_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        fill(paths_for(Path(place)).database, wanted.rows)
        bare = [sys.executable, "-c", "pass"]
        line = [sys.executable, "-m", "tokenpak.cli.main", "statusline", "--state-dir", place]
        pairs = [(took(bare), took(line)) for _ in range(wanted.runs)]
    bare_s, line_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"bare python {bare_s * 1000:.1f} ms, statusline {line_s * 1000:.1f} ms over {wanted.rows:,} rows, ", end="")
    print(f"{statistics.median(b / a for a, b in pairs):.2f} times; {(line_s - bare_s) * 1000:.1f} ms more")


if __name__ == "__main__":
    main()
