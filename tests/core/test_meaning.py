"""Every question has exactly one answer for whoever reads the original, and is about a line that is not sent."""

import pytest

from tests.core.contract import LOW, Words
from tests.core.readings import anthropic, bodies
from tokenpak.core.body import Kind, blocks_of, read
from tokenpak.core.lines import taken_apart
from tokenpak.core.meaning import LONGEST, Question, questions_about
from tokenpak.core.names import Names
from tokenpak.core.patch import Format
from tokenpak.core.pipeline import decide, patch_of, replay
from tokenpak.core.plan import plan_of

FILE = [f"line {n} of a file that is read again and again" for n in range(1, 31)]


def numbered(lines, first=1):
    return "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, first))


def asked(body, fmt=Format.ANTHROPIC):
    view = read(fmt, body)
    patch = patch_of(body, decide(view, LOW, {}, Words()), Words.name)
    return questions_about(replay(view, plan_of(patch.forms)))


def about(kind, found):
    return {question.answer: question for question in found if question.kind == kind}


def test_a_line_that_moved_is_asked_for_by_its_new_number():
    after = [FILE[0], "a new second line that was put in", *FILE[1:]]
    found = asked(anthropic(numbered(FILE), numbered(after)))
    question = about("number", found)[FILE[9]]
    assert question.words.startswith('What is line 11 in the result of "Read /r/a.py", as it was shown last?')
    assert question.label == "Read /r/a.py"
    assert "a new second line that was put in" not in about("number", found)


def test_the_line_behind_one_that_is_sent_can_be_asked_for():
    after = ["a first line that was put in by an edit", *FILE]
    question = about("next", asked(anthropic(numbered(FILE), numbered(after))))[FILE[0]]
    assert "\n\na first line that was put in by an edit\n\n" in question.words


def test_only_the_latest_place_is_asked_about():
    later = numbered([f"now quite another line {n}" for n in range(12)])
    found = asked(anthropic(numbered(FILE), numbered(FILE), later))
    numbers = [question.words.split(" in ")[0] for question in found if question.kind == "number"]
    assert numbers == [f"What is line {n}" for n in range(13, 31)]


def test_what_a_later_result_shows_again_literally_is_not_asked():
    found = asked(anthropic(numbered(FILE), numbered(FILE), f"{FILE[4]}\nand its end"))
    assert FILE[5] not in about("next", found)
    assert FILE[6] in about("next", found)


def test_a_line_that_stands_twice_has_no_next_one():
    twice = [*FILE[:10], FILE[3], *FILE[10:]]
    found = about("next", asked(anthropic(numbered(twice), numbered(twice))))
    assert FILE[4] not in found
    assert FILE[5] in found


@pytest.mark.parametrize(
    "line", ["}", "1234567890", "x" * (LONGEST + 1), r"says \"hello\" to all", "has `quotes` in it"]
)
def test_lines_that_say_little_or_read_in_two_ways_are_not_asked_for(line):
    lines = [*FILE[:10], line, *FILE[10:]]
    assert line not in {question.answer for question in asked(anthropic(numbered(lines), numbered(lines)))}


def test_nothing_is_asked_where_nothing_is_hidden():
    assert asked(anthropic(numbered(FILE), numbered(["other " + line for line in FILE]))) == []


def test_lines_that_are_only_written_shorter_are_not_hidden():
    padded = "\n".join(f"{n:>6}→{line}" for n, line in enumerate(FILE, 1))
    body = anthropic("a first result", padded)
    view = read(Format.ANTHROPIC, body)
    patch = patch_of(body, decide(view, LOW, {}, Words()), Words.name)
    assert patch.edits
    assert asked(body) == []


def test_lines_with_json_around_them_are_not_asked_about():
    first, last = f'{{"screen":"{FILE[0]}', f'{FILE[29]}","rows":30}}'
    screen = "\\n".join([first, *FILE[1:29], last])
    found = asked(anthropic(screen, screen))
    assert FILE[2] in about("next", found)
    assert FILE[1] not in about("next", found)
    assert last not in about("next", found)


def shown_last(fmt, body) -> dict[str, list[list[str]]]:
    """The lines of each result by its long name, read naively."""
    names, found = Names(), {}
    for block in blocks_of(read(fmt, body)):
        if block.kind is Kind.CALL:
            names.hear(block)
        elif block.kind is Kind.RESULT:
            found.setdefault(names.text(block)[0][-1], []).extend(text.text for text in block.texts)
    return found


def naive(question: Question, texts: list[str]) -> set[str]:
    """Every answer a reader could give: he looks at the latest text that shows what he is asked about."""
    for text in reversed(texts):
        lines = taken_apart(text)
        if question.kind == "number":
            number = int(question.words.split()[3])
            found = {body for body, shown in zip(lines.bodies, lines.numbers, strict=True) if shown == number}
        else:
            before = question.words.split("\n\n")[1]
            found = {after for line, after in zip(lines.bodies, lines.bodies[1:], strict=False) if line == before}
        if found:
            return found
    return set()


@pytest.mark.parametrize("fmt", list(Format))
def test_each_has_one_answer_in_the_original(fmt):
    count = 0
    for seed in range(8):
        body = list(bodies(fmt, seed, turns=30))[-1]
        found, texts = asked(body, fmt), shown_last(fmt, body)
        for question in found:
            assert naive(question, texts[question.label]) == {question.answer}
        count += len(found)
    assert count > 20
