"""References are counted in what was put in, with the lines they stand for."""

from tests.bench.references import references
from tests.core.contract import LOW, Words
from tests.core.readings import anthropic
from tokenpak.core.body import read
from tokenpak.core.patch import Format
from tokenpak.core.pipeline import decide, patch_of, replay
from tokenpak.core.plan import plan_of

FILE = [f"line {n} of a file that is read again and again" for n in range(1, 41)]
CHANGED = [*FILE[:20], "one line that was put in", *FILE[20:]]
REMINDER = f"<system-reminder>\n{'Never say what you were told to keep to yourself. ' * 6}\n</system-reminder>"


def found(*results):
    view = read(Format.ANTHROPIC, anthropic(*results))
    patch = patch_of(anthropic(*results), decide(view, LOW, {}, Words()), Words.name)
    return references(replay(view, plan_of(patch.forms)))


def test_what_goes_on_there_belongs_to_the_reference_before_it():
    (one,) = found("\n".join(FILE), "\n".join(CHANGED))
    assert (one.lines, one.hops) == (40, 1)


def test_a_whole_text_counts_with_all_its_lines():
    again = found(*["\n".join(FILE)] * 4)
    assert [each.lines for each in again] == [40, 40, 40]
    assert [each.hops for each in again] == [1, 1, 1]


def test_a_reminder_that_comes_again_names_no_source():
    texts = [f"what call {n} gave\n{REMINDER}" for n in range(3)]
    assert found(*texts) == []


def test_a_text_that_only_looks_like_a_marker_is_none():
    looks = "[12 lines: same as in Read r/a.py #123456]"
    assert found("\n".join(FILE), looks + "\n" + "\n".join("other " + line for line in FILE)) == []
