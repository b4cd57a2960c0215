"""The pass: which runs become references, which do not, and in what words."""

import time

import pytest

from tests.core.contract import Words
from tokenpak.core.lines import taken_apart
from tokenpak.core.markers import Place, parse
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.line_runs import MOST_REFERENCES, NAME, OTHER_SOURCE, SAME_FILE, SAME_TEXT, propose
from tokenpak.core.passes.target import Target
from tokenpak.core.patch import PASSES, Change, Policy

CHAIN = bytes(16)


def lines(
    count: int, start: int = 0, words: str = "some words that are long enough to be worth a reference"
) -> list[str]:
    return [f"line {n} with {words}" for n in range(start, start + count)]


def shown(text: list[str], first: int = 1) -> str:
    return "\n".join(f"{n:>6}→{line}" for n, line in enumerate(text, first))


class Talk:
    """An index, and texts proposed against it one after the other."""

    def __init__(self) -> None:
        self.index = Index()

    def sent(self, text: str, *labels: str, path: str = "") -> None:
        read = self.index.read(text, taken_apart(text))
        self.index.add(labels or ("Read a.py",), path, read, [(0, len(read.ids))])

    def asked(self, text: str, path: str = "", weigher: object = None) -> list[Change]:
        read = self.index.read(text, taken_apart(text))
        return propose(self.index, Target(Place(CHAIN, 0), text, read, ("Read b.py",), path), weigher or Words())

    def words(self, text: str, path: str = "") -> list[str]:
        return [change.new.rsplit(" #", 1)[0] for change in self.asked(text, path)]


def test_the_pass_is_one_of_the_policys_by_default():
    assert Policy().passes == PASSES
    assert NAME in PASSES


def test_a_second_reading():
    talk = Talk()
    talk.sent(shown(lines(20)))
    (change,) = talk.asked(shown(lines(20)))
    assert change.new.startswith("[lines 1-20: same as in Read a.py #")
    assert (change.part, change.start, change.end, change.name) == (0, 0, len(shown(lines(20))), NAME)
    assert change.saved == len(shown(lines(20))) // 3 - len(change.new) // 3


def test_shifted_numbers_and_changed_lines():
    talk = Talk()
    talk.sent(shown(lines(40)))
    again = lines(40)
    again[20:21] = ["new one", "new two", "new three"]
    assert talk.words(shown(again)) == [
        "[lines 1-20: same as in Read a.py",
        "[lines 24-42: same as lines 22-40 there",
    ]


def test_a_style_that_nothing_shows_is_told():
    talk = Talk()
    talk.sent("\n".join(f"{n}\t{line}" for n, line in enumerate(lines(20), 1)))
    assert talk.words(shown(lines(20))) == ['[lines 1-20, numbered as "     1→": same as in Read a.py']
    assert talk.words(shown([*lines(20), "x"])) == ["[lines 1-20: same as in Read a.py"]


def test_an_echo_of_what_was_written():
    talk = Talk()
    talk.sent("\n".join(lines(20)), "content of Write a.py")
    assert talk.words(shown(lines(20))) == [
        '[lines 1-20, numbered as "     1→": same as content of Write a.py from "line 0 with some words that are long eno"'
    ]
    assert talk.words("\n".join(lines(20))) == [
        '[20 lines: same as content of Write a.py from "line 0 with some words that are long eno"'
    ]


def test_a_file_printed_without_numbers():
    talk = Talk()
    talk.sent(shown(lines(20), 7))
    assert talk.words("\n".join(lines(20))) == ["[20 lines: same as lines 7-26 of Read a.py"]


@pytest.mark.parametrize(("threshold", "path"), [(SAME_FILE, "/a.py"), (OTHER_SOURCE, "/b.py"), (OTHER_SOURCE, "")])
def test_a_run_must_have_so_many_lines(threshold: tuple[int, int], path: str):
    talk = Talk()
    talk.sent(shown(lines(40)), path="/a.py")
    assert len(talk.asked(shown(lines(threshold[0])), path)) == 1
    assert talk.asked(shown(lines(threshold[0] - 1)), path) == []


def test_a_run_must_save_so_many_tokens():
    class Flat(Words):
        """All texts but markers weigh the same."""

        def __init__(self, weight: int) -> None:
            self.weight = weight

        def at_least(self, text: str) -> int:
            return self.weight

        def at_most(self, text: str) -> int:
            assert parse(text)
            return 20

    talk = Talk()
    talk.sent(shown(lines(20)), path="/a.py")
    text = shown(lines(20))
    assert talk.asked(text, "/a.py", Flat(20 + SAME_FILE.tokens))[0].saved == SAME_FILE.tokens
    assert talk.asked(text, "/a.py", Flat(20 + SAME_FILE.tokens - 1)) == []
    assert talk.asked(text, "/b.py", Flat(20 + OTHER_SOURCE.tokens))
    assert talk.asked(text, "/b.py", Flat(20 + OTHER_SOURCE.tokens - 1)) == []


def test_bounds_are_taken_against_us():
    class Loose(Words):
        def at_most(self, text: str) -> int:
            return 10**6

    talk = Talk()
    talk.sent(shown(lines(20)))
    assert talk.asked(shown(lines(20)), weigher=Loose()) == []


def test_a_marker_that_has_to_say_too_much_is_not_worth_it():
    """How lines are numbered is added last; where it costs what the marker saves, the lines stay."""

    class Dear(Words):
        def at_least(self, text: str) -> int:
            return 100

        def at_most(self, text: str) -> int:
            return 110 if "numbered as" in text else 10

    talk = Talk()
    talk.sent("\n".join(f"{n}\t{line}" for n, line in enumerate(lines(60), 1)))
    assert talk.asked(shown(lines(20)), weigher=Dear()) == []
    (change,) = talk.asked(shown([*lines(20), "x"]), weigher=Dear())
    assert change.saved == 90
    repeated = [*lines(20), "between", *lines(20, 100), "again", *lines(20, 100)]
    assert all(change.saved > 0 for change in talk.asked("\n".join(repeated), weigher=Dear()))


def test_a_text_may_refer_to_itself():
    block = lines(SAME_TEXT.lines)
    words = Talk().words("\n".join([*block, "between", *block]))
    assert words == ['[12 lines: same as this text from "line 0 with some words that are long eno"']
    shorter = lines(SAME_TEXT.lines - 1)
    assert Talk().words("\n".join([*shorter, "between", *shorter])) == []


def test_at_most_six_references_in_a_text():
    talk = Talk()
    talk.sent(shown(lines(400)), path="/a.py")
    pieces = [shown(lines(5, at), at + 1) for at in range(0, 200, 20)]
    pieces += [shown(lines(30, at), at + 1) for at in (220, 260, 300)]
    changes = talk.asked("\nliteral\n".join(pieces), "/a.py")
    assert len(changes) == MOST_REFERENCES
    targets = [change.new.split(":")[0] for change in changes]
    assert targets[3:] == ["[lines 221-250", "[lines 261-290", "[lines 301-330"]
    assert all(target.startswith("[lines ") for target in targets[:3])


def test_the_nearest_source_of_a_name_decides():
    talk = Talk()
    talk.sent(shown(lines(20)))
    talk.sent(shown(lines(20, words="other words that are as long as the first ones")))
    assert talk.words(shown(lines(20))) == []
    talk = Talk()
    talk.sent(shown(lines(20)))
    talk.sent(shown(lines(20, words="other words that are as long as the first ones"), 101))
    assert talk.words(shown(lines(20))) == ["[lines 1-20: same as in Read a.py"]


def test_a_longer_name_is_taken_where_the_short_one_leads_elsewhere():
    talk = Talk()
    talk.sent(shown(lines(20)), "Read b/c.py", "Read /a/b/c.py")
    talk.sent(shown(lines(20, 500)), "Read b/c.py", "Read /x/b/c.py")
    assert talk.words(shown(lines(20))) == ["[lines 1-20: same as in Read /a/b/c.py"]


def test_first_lines_that_make_no_anchor_stay():
    talk = Talk()
    text = ["", "}", *lines(20)]
    talk.sent("\n".join(text))
    (change,) = talk.asked("\n".join(text))
    assert (change.start, parse(change.new).count) == (3, 20)  # type: ignore[union-attr]


@pytest.mark.parametrize("label", ["Read " + "x" * 700, "Read a\nb", "Bash x\r\n"])
def test_names_that_make_no_marker_are_not_used(label: str):
    talk = Talk()
    talk.sent(shown(lines(20)), label)
    assert talk.asked(shown(lines(20))) == []


def test_a_short_match_does_not_block_a_longer_one_a_line_on():
    talk = Talk()
    text = lines(40)
    talk.sent(shown(text[:5]), "Read a.py", path="/a.py")
    talk.sent(shown(text[1:], 2), "Read b.py", path="/a.py")
    (change,) = talk.asked(shown(text), "/a.py")
    assert change.new.startswith("[lines 2-40: same as in Read b.py")


def test_wide_numbers_are_no_numbers():
    talk = Talk()
    text = "\n".join(f"{n:>20}:{line}" for n, line in enumerate(lines(20), 1))
    talk.sent(text)
    assert all(parse(change.new) for change in talk.asked(text))


HARD = {
    "one line": "}\n" * 20_000,
    "one long line": "hello world and more words\n" * 20_000,
    "nothing": "\n" * 60_000,
    "two lines": "a\nb\n" * 20_000,
    "same numbers": "1: x y z and more\n" * 20_000,
    "seven lines": "\n".join(f"{n % 7:08x} 00 00 00 00 00 00 00 00" for n in range(20_000)),
    "one beginning": "\n".join(f"2024-01-01T00:00:00Z INFO com.example.service.Foo - {n}" for n in range(10_000)),
}


@pytest.mark.parametrize("name", HARD)
def test_texts_with_more_matches_than_are_worth_trying_take_little_time(name: str):
    """Each took minutes or hours before the effort was bounded; a worker that hangs answers nobody."""
    talk, began = Talk(), time.perf_counter()
    for _ in range(2):
        talk.asked(HARD[name])
        talk.sent(HARD[name])
    assert time.perf_counter() - began < 6


def test_long_texts_of_different_lines_are_still_found():
    talk = Talk()
    text = shown(lines(30_000))
    talk.sent(text)
    (change,) = talk.asked(text)
    assert change.end == len(text)


def test_repeated_output_is_referred_to_its_first_appearance():
    text = "\n".join(["start of it all", *(["the same long line of output again"] * 400)])
    changes = Talk().asked(text)
    assert changes
    assert sum(change.end - change.start for change in changes) > len(text) // 2
