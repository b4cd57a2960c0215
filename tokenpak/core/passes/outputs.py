"""Which tool results are output of a command or a search, and which show a file.

A file's content is never rewritten, only referred to: an edit must quote it exactly. Which is which is told by the tool
and, in a shell, by its command: each program of its line must be known to show no file. Whoever is in doubt takes it for
a read.
"""

import re

import msgspec

from tokenpak.core.body.model import Block
from tokenpak.core.names import path_in
from tokenpak.core.passes.showing import shows_no_file

_SHELLS = frozenset(
    {
        "bash",
        "command",
        "exec",
        "exec_command",
        "execute_bash",
        "execute_command",
        "local_shell",
        "run_command",
        "run_in_terminal",
        "run_shell_command",
        "run_terminal_cmd",
        "shell",
        "terminal",
    }
)
CONTINUING = frozenset({"bash_output", "bashoutput", "get_terminal_output", "wait", "write_stdin"})
"""Tools that show what a command started earlier goes on to print."""

_SEARCHES = frozenset(
    {
        "codebase_search",
        "file_search",
        "find",
        "find_file",
        "glob",
        "grep",
        "grep_search",
        "list_dir",
        "list_directory",
        "list_files",
        "ls",
        "rg",
        "search",
        "search_dir",
        "search_file",
        "search_file_content",
        "search_files",
    }
)
_READING_TOOL = re.compile(r"read|view|open|cat|content|file|fetch|source|diff|edit|write|create|patch|notebook")
_LINES = ("cmd", "code", "command", "input", "script")
_TYPED = ("chars", "input", "text")
_SCRIPT = re.compile(r"\btools\b")
_CALL = re.compile(r"\btools\.exec_command\(")
_LINE = re.compile(r"""["']?\bcmd["']?\s*:\s*("(?:[^"\\\n]|\\.)*")""")
_WORLD = re.compile(r"\b(?:require|import|fetch|eval|process|Function)\b")


def is_output(call: Block | None) -> bool:
    """True for the result of a command or a search that shows no file."""
    if call is None:
        return False
    name = call.name.lower()
    return name in _SEARCHES or (name in CONTINUING and not _types(call)) or (name in _SHELLS and not _reads(call))


def is_data(call: Block | None) -> bool:
    """True for a result whose JSON is data: of a command or a search, or of a tool that has nothing to do with files."""
    if call is None:
        return False
    name = call.name.lower()
    told = (
        name in _SHELLS or name in CONTINUING or path_in(call.arguments) != "" or _READING_TOOL.search(name) is not None
    )
    return is_output(call) or (name != "" and not told)


def _types(call: Block) -> bool:
    """True when something is typed in: a shell that listens may show a file for it."""
    return any(key in _TYPED and value.strip("\x03\x04 \r\n") for key, value in call.arguments)


def _reads(call: Block) -> bool:
    """True when a shell's command may show a file, or when no command can be seen."""
    lines = [line for key, value in call.arguments if key in _LINES for line in _lines(value)]
    return not lines or not all(map(shows_no_file, lines))


def _lines(told: str) -> list[str]:
    """The command lines that are run: what was said, or what a script of calls of tools says. One that is not known is ""."""
    if not _SCRIPT.search(told):
        return [told]
    found = _LINE.findall(told)
    calls = len(_CALL.findall(told))
    if _WORLD.search(told) or not len(found) == calls == len(_SCRIPT.findall(told)):
        return [""]
    return [_unquoted(each) for each in found]


def _unquoted(literal: str) -> str:
    try:
        return msgspec.json.decode(literal, type=str)
    except msgspec.DecodeError:  # an escape that only scripts know: what it says is not known
        return ""
