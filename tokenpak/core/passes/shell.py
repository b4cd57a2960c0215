"""A shell's command line taken apart into its simple commands, as far as it can be told what they are.

The difficulty is that one is never missed: commands stand behind `;`, `&&`, `|`, keywords and brackets, and inside of
`$(…)`, backticks and double quotes. What is not understood to the letter (functions, arrays, files as input) is no
answer at all, and whoever asks takes such a line for the worst.
"""

import re
from typing import NamedTuple

UNKNOWN = "$"
"""Stands in a word for what only the shell knows: the value of a variable, what a substitution prints."""

_DEEPEST = 6
_KEYWORDS = frozenset({"!", "do", "done", "elif", "else", "fi", "if", "then", "until", "while", "{", "}"})
_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_OPERATOR = re.compile(r"&&|\|\||\|&|[;|\n]|&(?!>)")
_REDIRECT = re.compile(r"[0-9]*(?:>>|>\||>&|>)(?!\()|&>>?")
_INPUT = re.compile(r"[0-9]*<(?![<(])[ \t]*(/dev/null(?![\w/.-]))?")
_HEREDOC = re.compile(r"[0-9]*<<(-?)[ \t]*(?:'([\w-]+)'|\"([\w-]+)\"|(\\?)([\w-]+))")
_PLAIN = re.compile(r"[^\s\"'`$\\|&;()<>]+")
_QUOTED = re.compile(r'[^"\\`$]+|\\(?:\r?\n|(?s:.))|\$(?![({])')
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9?#@*!$-]|\{[#!]?\w+(?:\[[\w@*]+\])?(?:[:%#/^,+=-][^{}`$\"'\\]*)?\})")
_SUM = re.compile(r"\$\(\([^()`$]*\)\)")
_TICKED = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*\+?=")


class Command(NamedTuple):
    """A simple command: its words without assignments and redirections, quotes taken off.

    piped: it reads what the command before it prints. file: where its own output goes, "" for on to the reader.
    """

    words: tuple[str, ...]
    piped: bool
    file: str


class _Heredoc(NamedTuple):
    """A text that follows: the line that ends it, what may stand before that line, whether the shell fills it in."""

    end: str
    indent: str
    expanded: bool


class _Unclear(Exception):  # noqa: N818 - the answer: nobody here can say what this line runs
    """The line holds something that is not understood."""


def commands(line: str, depth: int = 0) -> list[Command] | None:
    """The simple commands of a line, those inside of substitutions too; None where they cannot be told."""
    reader = _Reader(line, depth)
    try:
        reader.read("")
    except _Unclear:
        return None
    return reader.found


class _Reader:
    def __init__(self, line: str, depth: int) -> None:
        self.found: list[Command] = []
        self._line, self._at, self._depth = line, 0, depth
        self._heredocs: list[_Heredoc] = []
        self._words: list[str] = []
        self._file, self._piped = "", False

    def read(self, closing: str) -> None:
        """Read commands up to the bracket that closes them, or to the end."""
        if self._depth > _DEEPEST:
            raise _Unclear
        while self._at < len(self._line):
            if self._took(_BLANK):
                continue
            if self._line[self._at] == ")" and closing:
                self._at += 1
                return self._end("")
            self._read_one()
        if closing:
            raise _Unclear
        return self._end("")

    def _read_one(self) -> None:
        if self._line.startswith("#", self._at):
            self._at = self._line_end()
        elif (operator := self._took(_OPERATOR)) is not None:
            self._end(operator[0])
        elif self._line.startswith("(", self._at) and not self._words:
            self._nest("(")
        elif self._line.startswith(("<(", ">("), self._at):
            self._nest("<(")
            self._words.append(UNKNOWN)
        elif not self._read_redirection():
            self._read_word()

    def _read_redirection(self) -> bool:
        if (heredoc := self._took(_HEREDOC)) is not None:
            tabs, single, double, escaped, bare = heredoc.groups()
            self._heredocs.append(_Heredoc(single or double or bare, "\t" if tabs else "", bool(bare and not escaped)))
            return True
        if (source := self._took(_INPUT)) is not None:
            if source[1] is None:
                raise _Unclear
            return True
        target = self._took(_REDIRECT)
        if target is None:
            return False
        self._took(_BLANK)
        file = self._word()
        if target[0] in (">", ">>", ">|", "1>", "1>>", "&>", "&>>"):
            self._file = file
        return True

    def _read_word(self) -> None:
        first = self._at
        word = self._word()
        assigned = not self._words and _ASSIGNED.match(self._line, first) is not None
        keyword = not self._words and word in _KEYWORDS
        if not assigned and not keyword:
            self._words.append(word)

    def _word(self) -> str:
        """The word that begins here, quotes taken off."""
        out: list[str] = []
        while self._at < len(self._line) and (piece := self._piece()) is not None:
            out.append(piece)
        if not out:
            raise _Unclear
        return "".join(out)

    def _piece(self) -> str | None:
        """The next piece of a word; None behind its end."""
        if (plain := self._took(_PLAIN)) is not None:
            return plain[0]
        letter = self._line[self._at]
        if letter == "'":
            return self._single()
        if letter == '"':
            return self._double()
        if letter == "\\" and not _BLANK.match(self._line, self._at):
            self._at += 2
            return self._line[self._at - 1 : self._at]
        return self._substituted() if letter in "`$" else None

    def _single(self) -> str:
        end = self._line.find("'", self._at + 1)
        if end < 0:
            raise _Unclear
        text, self._at = self._line[self._at + 1 : end], end + 1
        return text

    def _double(self) -> str:
        self._at += 1
        out: list[str] = []
        while not self._line.startswith('"', self._at):
            if self._at >= len(self._line):
                raise _Unclear
            variable = _VARIABLE.match(self._line, self._at)
            quoted = None if variable else self._took(_QUOTED)
            out.append(_unescaped(quoted[0]) if quoted else self._substituted())
        self._at += 1
        return "".join(out)

    def _substituted(self) -> str:
        """What the shell puts in here; the commands that it runs for that are noted."""
        if (ticked := self._took(_TICKED)) is not None:
            inner = commands(re.sub(r"\\([\\`$])", r"\1", ticked[1]), self._depth + 1)
            if inner is None:
                raise _Unclear
            self.found += inner
        elif not (self._took(_SUM) or self._took(_VARIABLE)):
            if not self._line.startswith("$(", self._at):
                raise _Unclear
            self._nest("$(")
        return UNKNOWN

    def _nest(self, opening: str) -> None:
        """Read what stands in brackets, the commands around it put aside."""
        aside = self._words, self._file, self._piped
        self._words, self._file, self._piped = [], "", False
        self._at, self._depth = self._at + len(opening), self._depth + 1
        self.read(")")
        self._depth -= 1
        self._words, self._file, self._piped = aside

    def _end(self, operator: str) -> None:
        if self._words:
            self.found.append(Command(tuple(self._words), self._piped, self._file))
        self._words, self._file, self._piped = [], "", operator in ("|", "|&")
        if operator == "\n":
            for heredoc in self._heredocs:
                self._skip(heredoc)
            self._heredocs = []

    def _skip(self, heredoc: _Heredoc) -> None:
        """Pass over the text of a heredoc."""
        while self._at < len(self._line):
            stop = self._line_end()
            line, self._at = self._line[self._at : stop], stop + 1
            if line.lstrip(heredoc.indent).rstrip("\r") == heredoc.end:
                return
            if heredoc.expanded and ("`" in line or "$(" in line):
                raise _Unclear

    def _line_end(self) -> int:
        end = self._line.find("\n", self._at)
        return len(self._line) if end < 0 else end

    def _took(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._line, self._at)
        if match is not None:
            self._at = match.end()
        return match


def _unescaped(quoted: str) -> str:
    return quoted[1:] if quoted[0] == "\\" and quoted[1] in '"\\$`' else quoted
