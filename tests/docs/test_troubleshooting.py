"""docs/troubleshooting.md against the code, both ways: what it quotes is printed, and what can be printed has an entry."""

import ast
import re
from typing import get_args

import pytest

from tests.docs import pages
from tokenpak.core.refusal import Fault
from tokenpak.ipc.events import CloseState
from tokenpak.proxy import refuse
from tokenpak.services import errand, upstream
from tokenpak.services.dispatch import How

PAGE = pages.read("troubleshooting.md")
QUOTED = [" ".join(line.split()) for line in re.findall(r"^[-\s]*> (.+)$", PAGE, re.MULTILINE)]
CODE = pages.ROOT / "tokenpak"
REASONS_OF_DEGRADATION = ("control/reasons.py", "control/health.py")


def tree(file):
    return ast.parse((CODE / file).read_text(encoding="utf-8"))


def told(node):
    """A literal as it is printed, `…` for what differs; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        words = re.sub(r"\{\w*(![rsa])?\}", "…", node.value)
    elif isinstance(node, ast.JoinedStr):
        words = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    else:
        return None
    return " ".join(words.split())


def literals(node):
    """Every text in a piece of code, the pieces of an f-string not by themselves."""
    if (words := told(node)) is not None:
        yield words
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def first_words(words):
    """Up to the first stop: what comes behind it explains."""
    return re.split(r"(?<=[^…])[;.](?= |$)|(?<=…)[;.] ", words)[0]


def is_quoted(words):
    return any(words in quote for quote in QUOTED)


ALL_LITERALS = [
    words for file in sorted(CODE.rglob("*.py")) for words in literals(ast.parse(file.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("quote", sorted(set(QUOTED)))
def test_what_is_quoted_stands_so_in_the_code(quote):
    words = re.sub(r"^(TokenPak|tokenpak): ", "", quote)
    assert len(words.replace("…", "")) > 9, "too few words to be looked for"
    printed = re.compile(".*?".join(re.escape(part) for part in words.split("…")))
    assert any(printed.search(each) for each in ALL_LITERALS)


def test_there_is_much_to_compare():
    assert len(set(QUOTED)) > 50


@pytest.mark.parametrize("fault", get_args(Fault))
def test_every_refusal_has_an_entry_with_its_status_its_words_and_its_code(fault):
    case = refuse._CASES[fault]
    words = first_words(re.sub(r"\{\w*(![rsa])?\}", "…", case.message))
    entry = PAGE[PAGE.index(f"### {case.status}") :]
    entry = entry[: re.search(r"^##", entry[3:], re.MULTILINE).start() + 3]
    assert any(f"TokenPak: {words}" in " ".join(line.split()) for line in entry.splitlines() if line.startswith("> "))
    assert f"`{fault}`" in entry


@pytest.mark.parametrize("status", sorted(refuse._MALFORMED))
def test_every_answer_to_what_is_no_request_has_an_entry(status):
    assert is_quoted(first_words(refuse._MALFORMED[status]))
    assert re.search(rf"^### .*\b{status}\b", PAGE, re.MULTILINE)


class _Degradation(ast.NodeVisitor):
    """The texts of a module without its docstrings: sentences that become reasons, and what may stand in their brackets."""

    def __init__(self):
        self.found = []

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node):
        self.found += filter(None, [told(node)])

    def visit_JoinedStr(self, node):
        self.found += filter(None, [told(node)])


def reasons(file):
    seen = _Degradation()
    seen.visit(tree(file))
    return [words for words in seen.found if len(words.split()) > 2 and not words.startswith("Nothing is here")]


@pytest.mark.parametrize(
    ("file", "words"), [(file, words) for file in REASONS_OF_DEGRADATION for words in reasons(file)]
)
def test_every_reason_of_being_degraded_has_an_entry(file, words):
    page = " ".join(PAGE.split())
    assert is_quoted(first_words(words)) or f"`{first_words(words)}`" in page


def test_the_reasons_that_status_adds_have_entries():
    added = [each for each in literals(tree("cli/commands/status.py")) if each.startswith("control ")]
    added += [each for each in literals(tree("cli/screen.py")) if each.startswith("no new edits")]
    assert len(added) == 3
    assert [each for each in added if not is_quoted(first_words(each))] == []


def test_all_kinds_of_reasons_were_found():
    found = [first_words(words) for file in REASONS_OF_DEGRADATION for words in reasons(file)]
    assert {"the writer does not answer", "… of … workers are up", "the key of redaction could not be kept"} <= {*found}
    assert len(found) >= 14


def cells(word):
    """Whether a table has a row for a word."""
    return re.search(rf"^\| (.*, )?`{word}`(, .*)? \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("state", [*get_args(CloseState), "open"])
def test_every_state_of_a_row_is_told(state):
    assert cells(state)


def why_not():
    """The words by which a row says why no worker's answer was used, from the code that writes them."""
    calls = [node for node in ast.walk(tree("services/dispatch.py")) if isinstance(node, ast.Call)]
    named = [
        call
        for call in calls
        if getattr(call.func, "id", getattr(call.func, "attr", "")) in {"Compressed", "_replayed"}
    ]
    words = {
        arg.value for call in named for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
    }
    unread = re.findall(r'why_unread = "(\w+)"', (CODE / "proxy/exchange.py").read_text())
    return words | set(unread) | {"recalled"} | set(get_args(errand.Reason)) | set(get_args(How))


@pytest.mark.parametrize("word", sorted(why_not()))
def test_every_word_for_what_was_not_edited_is_told(word):
    assert cells(word)


def test_the_words_were_found():
    assert {"below_floor", "overtaken", "bad_plan", "too_large", "coded", "deadline", "planned"} <= why_not()


def test_every_finding_of_doctor_is_told():
    found = set()
    for file in sorted((CODE / "control" / "doctor").glob("*.py")):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        found |= {told(call.args[0]) for call in calls if getattr(call.func, "id", "") == "Finding"}
    assert len(found) > 8
    assert [word for word in sorted(found) if not cells(word)] == []


@pytest.mark.parametrize("command", pages.commands(PAGE))
def test_every_command_is_one_of_ours(command):
    pages.parse(command)


def test_figures_are_those_of_the_code():
    assert upstream.ACTIVE_BOUND == 1000
    assert "A thousand requests at once" in PAGE
