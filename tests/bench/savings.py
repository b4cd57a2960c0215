"""The project's own savings table: the engine, in process, over recorded sessions.

    python tests/bench/savings.py [SESSIONS] --head 28000 --processes 2
    python tests/bench/savings.py --leave-one-out --each-alone --json out.json
    python tests/bench/savings.py --markdown docs/savings.md --processes 2

SESSIONS is a folder of recorded sessions; without it those of the shared place are played. --markdown plays all that the
page shows and writes its tables anew between their marks. Needs the tokenizer's vocabulary (TIKTOKEN_CACHE_DIR).
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.bench import savings_page  # noqa: E402 - the path above makes it importable when run as a script
from tests.bench.played import Player, Row, Variant, bench  # noqa: E402 - see above
from tests.bench.savings_tables import in_words, summary  # noqa: E402 - see above
from tests.shared_place import shared  # noqa: E402 - see above
from tokenpak.core.passes import PASSES  # noqa: E402 - see above

MUTATIONS = ("cut", "cleared", "flip", "fork", "single")


def play(job: tuple[Path, Variant]) -> Row | None:
    """One session in one variant; None where the variant is not about it."""
    player = Player(*job)
    return player.run() if player.is_meant else None


def played(paths: list[Path], variants: Mapping[str, Variant], processes: int) -> dict[str, list[Row]]:
    """The rows of each variant, sessions by name; the largest are begun first."""
    bench()
    jobs = [(name, path) for name in variants for path in sorted(paths, key=lambda path: -path.stat().st_size)]
    rows: dict[str, list[Row]] = {name: [] for name in variants}
    with ProcessPoolExecutor(processes) as pool:
        done = pool.map(play, ((path, variants[name]) for name, path in jobs))
        for (name, _), row in zip(jobs, done, strict=True):
            if row is None:
                continue
            rows[name].append(row)
            print(
                f"{name:24} {row.id:28} final {row.final_saved_pct:6.2f} % bill {row.bill_own_pct:+7.2f} %",
                file=sys.stderr,
            )
    return {name: sorted(each, key=lambda row: row.id) for name, each in rows.items()}


def variants(options: argparse.Namespace) -> dict[str, Variant]:
    """What was asked for, by name: the sessions as they are, without each pass, with each alone."""
    passes = tuple(options.passes.split(",")) if options.passes else tuple(PASSES)
    unknown = sorted(set(passes) - set(PASSES))
    if unknown:
        raise SystemExit(f"no such pass: {', '.join(unknown)}; there are {', '.join(PASSES)}")
    asked = Variant(
        head=options.head,
        recast_reads=options.recast_reads,
        as_responses=options.as_responses,
        markers=not options.no_markers,
        mutate=options.mutate,
        passes=passes,
        expand_every=options.expand_every,
    )
    found = {"as asked": asked}
    if options.leave_one_out:
        found |= {f"without {name}": without(asked, name) for name in passes}
    if options.each_alone:
        found |= {f"{name} alone": msgspec.structs.replace(asked, passes=(name,)) for name in passes}
    return found


def without(variant: Variant, name: str) -> Variant:
    """The variant with one pass less."""
    return msgspec.structs.replace(variant, passes=tuple(each for each in variant.passes if each != name))


def recorded(folder: Path | None, pattern: str) -> list[Path]:
    """The recorded sessions of a folder, of the shared place without one. Exits where there is none."""
    place = shared()
    folder = folder or (place / "corpus" / "dev" if place else None)
    found = sorted(folder.glob(pattern + ".json")) if folder else []
    if not found:
        raise SystemExit(f"no recorded session {pattern!r} in {folder or 'the shared place; set TOKENPAK_SHARED'}")
    return found


def write_json(file: Path, rows: Mapping[str, Iterable[Row]], asked: Mapping[str, Variant]) -> None:
    """Rows and summaries for machines, by variant."""
    told = {
        name: {"variant": asked[name], "summary": summary(list(each)), "sessions": list(each)}
        for name, each in rows.items()
    }
    file.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="SESSIONS")
    parser.add_argument("--sessions", default="*", metavar="GLOB", help="names of the sessions to play")
    parser.add_argument("--head", type=int, default=0, help="tokens of system prompt for sessions that record none")
    parser.add_argument("--recast-reads", action="store_true", help="Claude Code as it reads today")
    parser.add_argument("--as-responses", action="store_true", help="OpenAI sessions in the shape of the Responses API")
    parser.add_argument("--no-markers", action="store_true", help="the client sends no cache marks")
    parser.add_argument("--mutate", choices=MUTATIONS, help="what clients do to their history")
    parser.add_argument("--passes", metavar="A,B", help="only these passes")
    parser.add_argument("--leave-one-out", action="store_true", help="also without each pass")
    parser.add_argument("--each-alone", action="store_true", help="also with each pass alone")
    parser.add_argument("--expand-every", type=int, default=10, help="check each Nth changed body")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables of this page anew")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    asked = savings_page.VARIANTS if options.markdown else variants(options)
    rows = played(recorded(options.folder, options.sessions), asked, options.processes)
    if options.json:
        write_json(options.json, rows, asked)
    if options.markdown:
        if not any(row.long for row in rows["plain"]):
            raise SystemExit("the page tells of long sessions, and none of these is one")
        savings_page.rewrite(options.markdown, rows)
    else:
        print(in_words(rows))


if __name__ == "__main__":
    main()
