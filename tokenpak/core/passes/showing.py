"""Whether a shell's line may show a file: it does unless each program it runs is known not to.

The difficulty is that few programs are harmless whatever they are told: `find` runs others, `grep -v x a` and `head a`
show a file where `make | head` does not, `git log` is a list until it is told `-p`. Programs that run others are looked
through; what is not understood shows a file.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise, takewhile
from typing import NamedTuple

from tokenpak.core.passes import programs
from tokenpak.core.passes.programs import Options
from tokenpak.core.passes.shell import UNKNOWN, Command, commands

_DEEPEST = 6
_WIDE = 10
"""Lines around a match from which on a search shows the file rather than the match."""

_DEVICE = re.compile(r"/dev/(?:std|fd|tty|pts|tcp|udp|console)|/proc/")
_VALUE = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_EXECUTES = re.compile(r"-(?:exec|execdir|ok|okdir)|-[xX]|--exec(?:-batch)?")
_PATTERN = re.compile(r"-[A-Za-z]*e|--regexp")
_AROUND = re.compile(r"-[A-Za-z]*[ABC][0-9]*|--(?:after-context|before-context|context)(?:=.*)?|-[0-9]+")
_WITH_VALUE = re.compile(
    r"-[A-Za-z]*[mgtTjMdD]|--(?:include|exclude|exclude-dir|glob|iglob|type|type-not|max-count|max-depth|sort|color)"
)
_NAMES = re.compile(
    r"-[rRniHwsEFIP]*[lcq][rRniHwsEFIP]*|--(?:files|files-with-matches|files-without-match|count|quiet)"
)
_ALL = re.compile(r"-[A-Za-z]*v[A-Za-z]*|--invert-match|--pass-?thr.*|--pre.*|-f|--file=?.*|--regexp=.*")
_EVERY = re.compile(r"[.^$*+?()|\s]*")
_VERSION = frozenset({"--version", "-V", "--help"})


class Asked(NamedTuple):
    """What a program is told: its arguments, whether another one's output is put in, how many programs run this one."""

    arguments: Sequence[str]
    piped: bool
    depth: int

    def behind(self, words: Sequence[str]) -> bool:
        """True where another program, run by this one with these words, shows no file."""
        return _is_silent(words, Asked(words[1:], self.piped, self.depth + 1))


def shows_no_file(line: str, depth: int = 0) -> bool:
    """True where every command of a shell's line is known to show no file's content."""
    found = commands(line) if depth <= _DEEPEST else None
    return bool(found) and all(_shows_none(each, depth) for each in found or ())


def _shows_none(command: Command, depth: int) -> bool:
    if any(_DEVICE.search(word) for word in (*command.words, command.file)):
        return False
    if command.file and UNKNOWN not in command.file and command.words[0] in programs.WRITERS:
        return True
    return _is_silent(command.words, Asked(command.words[1:], command.piped, depth))


def _is_silent(words: Sequence[str], asked: Asked) -> bool:
    """True where a program, run with these words, shows no file."""
    if not words or asked.depth > _DEEPEST:
        return False
    name = words[0].rsplit("/", 1)[-1]
    if name in programs.BUILTINS:
        return name == words[0]
    rule = _RULES.get(name)
    if rule is not None:
        return rule(asked)
    if name in programs.WRAPPERS:
        return _wraps(programs.WRAPPERS[name], asked)
    if name in programs.FILTERS:
        return asked.piped and _filters(programs.FILTERS[name], asked.arguments)
    return _is_harmless(name, asked)


def _is_harmless(name: str, asked: Asked) -> bool:
    """A program by its name, and by its verb where it has verbs."""
    if any(programs.SHOWING.fullmatch(each) for each in asked.arguments):
        return False
    if name in programs.RUNNING and (words := _runs(name, asked)) is not None:
        return asked.behind(words)
    if name in programs.TOLD:
        words = _after_options(asked.arguments, programs.GLOBAL) or ()
        known = programs.TOLD[name]
        return " ".join(words[:2]) in known or bool(words and words[0] in known) or _is_asked_itself(asked, words)
    if name in programs.WRITING:
        return not programs.WRITING[name].isdisjoint(asked.arguments) and "-d" not in asked.arguments
    but = programs.BUT.get(name)
    return name in programs.ANY and not (but and any(but.fullmatch(each) for each in asked.arguments))


def _is_asked_itself(asked: Asked, words: Sequence[str]) -> bool:
    return not words and not _VERSION.isdisjoint(asked.arguments)


def _runs(name: str, asked: Asked) -> Sequence[str] | None:
    """The words of the program that this one's verb runs; None where its verb runs none."""
    verbs, valued = programs.RUNNING[name]
    words = _after_options(asked.arguments, programs.GLOBAL) or ()
    return _after_options(words[1:], valued) if words and words[0] in verbs else None


def _after_options(words: Sequence[str], valued: str, alone: str = "[-+].+") -> Sequence[str] | None:
    """The words behind the options; None where one of these is not known."""
    at = 0
    while at < len(words) and words[at] != "--":
        if re.fullmatch(valued, words[at]):
            at += 2
        elif re.fullmatch(alone, words[at]):
            at += 1
        elif words[at].startswith("-"):
            return None
        else:
            return words[at:]
    return words[at + 1 :]


def _wraps(options: Options, asked: Asked) -> bool:
    """A program that runs the one named behind its options, arguments and variables."""
    words = _after_options(asked.arguments, options.valued, options.alone) or ()
    at = options.arguments
    while at < len(words) and _VALUE.fullmatch(words[at]):
        at += 1
    return asked.behind(words[at:])


def _filters(options: Options, words: Sequence[str]) -> bool:
    """A filter that is told no file to read."""
    arguments, at = 0, 0
    while at < len(words):
        if re.fullmatch(options.valued, words[at]):
            at += 1
        elif not words[at].startswith("-"):
            arguments += 1
        elif words[at] != "-" and not re.fullmatch(options.alone, words[at]):
            return False
        at += 1
    return arguments <= options.arguments


def _scripted(name: str) -> Callable[[Asked], bool]:
    """A filter told by a script, its first argument or those behind -e."""
    options, known = programs.SCRIPTED[name]

    def rule(asked: Asked) -> bool:
        words = asked.arguments
        scripts = [b for a, b in pairwise(words) if a in ("-e", "--expression") and name == "sed"]
        if not scripts:
            rest = _after_options(words, options.valued, options.alone)
            scripts, words = (list(rest[:1]), rest[1:]) if rest else ([], ())
        told = bool(scripts) and all(known.fullmatch(each) for each in scripts)
        return asked.piped and told and _filters(options, words)

    return rule


def _sed(asked: Asked) -> bool:
    in_place = any(re.fullmatch(r"-[nErsz]*i.*|--in-place.*", each) for each in asked.arguments)
    return in_place or _scripted("sed")(asked)


def _search(asked: Asked) -> bool:
    """grep, rg and the like. One that passes on every line, or wide surroundings, must be a filter."""
    if any(_NAMES.fullmatch(each) for each in asked.arguments):
        return True
    patterns, others, shows = [], 0, False
    words = iter(asked.arguments)
    for word in words:
        if _PATTERN.fullmatch(word):
            patterns.append(next(words, ""))
        elif _AROUND.fullmatch(word):
            lines = re.sub("[^0-9]", "", word) or next(words, "")
            shows |= re.fullmatch("[0-9]{1,4}", lines) is None or int(lines) >= _WIDE
        elif _WITH_VALUE.fullmatch(word):
            next(words, "")
        elif word.startswith("-"):
            shows |= _ALL.fullmatch(word) is not None
        elif patterns:
            others += 1
        else:
            patterns.append(word)
    shows |= any(_EVERY.fullmatch(each) for each in patterns)
    return not shows or (asked.piped and others == 0)


def _find(asked: Asked) -> bool:
    words = iter(asked.arguments)
    run = (list(takewhile(_goes_on, words)) for word in words if _EXECUTES.fullmatch(word))
    return all(map(asked._replace(piped=False).behind, run))


def _goes_on(word: str) -> bool:
    return word not in (";", "+")


def _xargs(asked: Asked) -> bool:
    alone = r"-[0rtxp]+|-[nPILds].+|--null|--no-run-if-empty|--(?:max-args|max-procs)=.*"
    words = _after_options(asked.arguments, "-[nPILdsE]", alone) or ()
    return asked._replace(piped=False).behind(words)


def _shell(asked: Asked) -> bool:
    words = asked.arguments
    told = len(words) > 1 and re.fullmatch("-[a-z]*c", words[0]) is not None
    return told and shows_no_file(words[1], asked.depth + 1)


def _command(asked: Asked) -> bool:
    return asked.arguments[:1] == ("-v",) or _wraps(Options("-p", programs.NONE), asked)


def _python(asked: Asked) -> bool:
    words, alone = asked.arguments, "-[uBEIsS]+"
    while words and re.fullmatch(alone, words[0]):
        words = words[1:]
    if len(words) > 1 and words[0] == "-m":
        return words[1] in programs.MODULES and asked.behind((programs.MODULES[words[1]], *words[2:]))
    if len(words) > 1:
        return words[1] in programs.PYTHON_SCRIPTS.get(words[0].rsplit("/", 1)[-1], ())
    return bool(words) and words[0] in _VERSION


def _node(asked: Asked) -> bool:
    return bool(asked.arguments) and asked.arguments[0] in ("--test", "--check", "-v", "--version")


def _gh(asked: Asked) -> bool:
    if asked.arguments[:1] != ("api",):
        return _is_harmless("gh", asked)
    served = re.compile(r"content|blob|raw|diff|patch|readme|gists|file", re.IGNORECASE)
    return not any(served.search(each) for each in asked.arguments)


def _git(asked: Asked) -> bool:
    words = _after_options(asked.arguments, "-C|-c|--git-dir|--work-tree|--namespace") or ()
    verb, rest = " ".join(words[:1]), words[1:]
    patch = any(programs.PATCH.fullmatch(each) for each in rest)
    match verb:
        case "grep":
            return _search(Asked(rest, False, asked.depth))
        case "stash":
            return not patch and (not rest or rest[0] in programs.STASHES)
        case "log" | "reflog":
            return not patch
        case "diff" | "show":
            stored = any(":" in each for each in rest if not each.startswith("-"))
            return not patch and not stored and any(programs.COUNTED.fullmatch(each) for each in rest)
        case "add" | "checkout" | "reset" | "restore" | "rebase":
            return not patch
        case _:
            return verb in programs.GIT


_RULES: dict[str, Callable[[Asked], bool]] = {
    **dict.fromkeys(("bash", "dash", "sh", "zsh"), _shell),
    **dict.fromkeys(("ack", "ag", "egrep", "fgrep", "grep", "rg", "ugrep"), _search),
    **dict.fromkeys(("fd", "fdfind", "find"), _find),
    **dict.fromkeys(("python", "python3"), _python),
    **{name: _scripted(name) for name in programs.SCRIPTED},
    "command": _command,
    "gh": _gh,
    "git": _git,
    "node": _node,
    "sed": _sed,
    "xargs": _xargs,
}
