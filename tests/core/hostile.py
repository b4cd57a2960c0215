"""Sessions made to break things: few different lines, so that everything matches everywhere; markers pasted anywhere."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hypothesis import strategies as st

from tests.core.sessions import Call, Message, Result, Session

LINES = (
    "def compute(value, path): return value",
    "    result = compute(index, node) + 1",
    "second line that is long enough to count for a lot of tokens, or so one should think",
    "café ☕ 数据 and more words behind",
    "",
    "}",
    "    ",
    "12: a line that shows a number of its own",
    "[lines 1-4: same as in Read a.py #123456]",
    '[4 lines: same as user text from "def compute" #000000]',
    "[4 lines: same as nothing",
    "cr at the end\r",
    "٣: digits of another script",
)
PATHS = ("/r/a.py", "/r/b.py", "/r/deep/a.py", "/r/" + "long/" * 130 + "z.py", '/r/q"uo\\te.py')


class Piece(NamedTuple):
    """Some lines, numbered in a style from a number on; or (paste) a marker that was sent, by index."""

    lines: tuple[int, ...]
    times: int
    style: str
    first: int
    paste: int | None


PIECES = st.builds(
    Piece,
    st.lists(st.integers(0, len(LINES) - 1) | st.integers(0, 3), min_size=3, max_size=9).map(tuple),
    st.sampled_from([2, 1, 3, 6]),
    st.sampled_from(["", "", "{n}:", "{n}\t", "{n:>6}→", "{n:>6}→", "{n:>3}:", "{n:>14}:"]),
    st.sampled_from([1, 1, 1, 7, 98, 0, 99998]),
    st.sampled_from([None] * 12 + list(range(8))),
)


class Act(NamedTuple):
    """One exchange: what the assistant says and calls, what comes back, and which earlier text is repeated first."""

    said: tuple[Piece, ...]
    argument: tuple[Piece, ...]
    tool: str
    path: str
    result: tuple[Piece, ...]
    again: int | None
    note: tuple[Piece, ...]


TEXTS = st.lists(PIECES, max_size=3).map(tuple)
ACTS = st.builds(
    Act,
    st.just(()) | TEXTS,
    st.just(()) | TEXTS,
    st.sampled_from(["Read", "Read", "Read", "Bash", ""]),
    st.sampled_from(PATHS[:3]) | st.sampled_from(PATHS),
    st.lists(PIECES, min_size=1, max_size=4).map(tuple),
    st.integers(0, 30) | st.integers(0, 30) | st.none(),
    st.just(()) | TEXTS,
)
SESSIONS = st.lists(ACTS, min_size=4, max_size=9)


class Play:
    """Turns acts into a session, front to back; `pasted` gives the markers sent so far."""

    def __init__(self, pasted: Callable[[], list[str]]) -> None:
        self.session = Session("s", ("Read",), (Message("user", ("go\n" + "\n".join(LINES[:4]),)),))
        self._pasted = pasted
        self._texts: list[str] = []

    def turns(self, acts: list[Act]) -> Iterator[Session]:
        """The session after each act."""
        for number, act in enumerate(acts):
            said = (self.text(act.said),) if act.said else ("ok",)
            call = Call(f"t{number}", act.tool, {"content": self.text(act.argument), "file_path": act.path})
            again = self._texts[act.again % len(self._texts)] + "\n" if act.again is not None and self._texts else ""
            result = Result(call.ident, again + self.text(act.result))
            self._texts.append(str(result.content))
            note = (self.text(act.note),) if act.note else ()
            added = (Message("assistant", said, (call,)), Message("user", note, results=(result,)))
            self.session = self.session._replace(messages=self.session.messages + added)
            yield self.session

    def text(self, pieces: tuple[Piece, ...]) -> str:
        out: list[str] = []
        for piece in pieces:
            lines = [LINES[i] for i in piece.lines] * piece.times
            out += (
                [piece.style.format(n=n) + line for n, line in enumerate(lines, piece.first)] if piece.style else lines
            )
            sent = self._pasted()
            if piece.paste is not None and sent:
                out.append(sent[piece.paste % len(sent)])
        return "\n".join(out)
