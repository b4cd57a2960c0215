"""What an account costs: opening and settling it in the front, against the worker's time over the same request.

    python tests/bench/ledger.py [SESSION...]

For each recorded session (default: three of them) the median over its turns, in milliseconds, and the ratio. Prints; judges
nothing.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.bench.played import FORMATS, MODELS, counters  # noqa: E402 the path comes first
from tests.services import billed  # noqa: E402
from tokenpak.core.body import outline  # noqa: E402
from tokenpak.core.patch import Job, Policy  # noqa: E402
from tokenpak.core.usage import Observation, Usage  # noqa: E402
from tokenpak.services.accounts import Accounts, Told  # noqa: E402
from tokenpak.services.compress import Compressor  # noqa: E402

USUAL = ("cc-entire-01", "codex-hk-a", "pi-mono-large")


def measured(path: Path) -> tuple[int, float, float]:
    """Blocks of the last request; median milliseconds of the worker, and of the account."""
    session = json.loads(path.read_bytes())
    wire = session.get("format", "anthropic")
    model, fmt = MODELS[wire], FORMATS[wire]
    worker, accounts, forms = Compressor(counters()[0]), Accounts(lambda: billed.TABLE), {}
    seen = Observation(Usage(100, 20_000, 3000, 0, None, 100), model, "provider")
    works, books, blocks = [], [], 0
    for raw in billed.bodies(session, markers=True, head=28_000):
        began = time.perf_counter()
        patch = worker.run(Job(fmt, Policy(), tuple(forms.values())), raw)
        done = time.perf_counter()
        forms.update((form.chain, form) for form in patch.forms if form.chain not in forms)
        told = Told(wire, wire, outline(fmt, raw), patch.footprint)
        opening = time.perf_counter()
        accounts.settle(accounts.open(told), wire, model, seen)
        books.append(1000 * (time.perf_counter() - opening))
        works.append(1000 * (done - began))
        blocks = len(patch.footprint.blocks)
    return blocks, median(works), median(books)


def main() -> None:
    """Print a line for each session."""
    wanted = sys.argv[1:] or USUAL
    for path in (path for path in billed.sessions() if path.stem in wanted):
        blocks, work, book = measured(path)
        print(f"{path.stem:22s} {blocks:5d} blocks  worker {work:6.2f} ms  account {book:5.2f} ms  {book / work:4.0%}")


if __name__ == "__main__":
    main()
