"""Which tool results are output of a command or a search, and which show a file.

A file's content is never rewritten, only referred to: an edit must quote it exactly. Which is which is told by the tool
and by its command: `cat`, `sed -n` and `git show` in a shell are reads too. Whoever is in doubt takes it for a read.
"""

import re

from tokenpak.core.body.model import Block
from tokenpak.core.names import path_in

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
_READING = re.compile(
    r"(?:^|[;&\n\"'`({]|\|\||\bxargs\s(?:[^|;&\n]*\s)?|-exec(?:dir)?\s|\b(?:sudo|time|env|timeout\s+\S+|then|do|else)\s)\s*"
    r"(?:[\w./~-]*/)?"
    r"(?:awk|base64|bat|batcat|cat|cmp|column|cut|diff|fold|gawk|gunzip|head|hexdump|jq|less|more|nl|od|open|paste|pr|rev|"
    r"sed|sort|strings|tac|tail|tee|tr|type|uniq|view|xxd|yq|zcat|"
    r"(?:python[0-9.]*|node|deno|bun|ruby|perl|php)\s+-[a-z]*[ce]|(?:python[0-9.]*|node|perl|ruby)\s+-?\s*<<-?\s*[\w\\'\"]*|"
    r"git\s+(?:-\S+\s+(?:\S+\s+)?)*(?:show|diff|blame|cat-file|stash\s+show|format-patch|log\s[^|;&\n]*(?:-p\b|--patch|-u\b)))"
    r"(?![\w.-])",
    re.MULTILINE,
)


def is_output(call: Block | None) -> bool:
    """True for the result of a command or a search that shows no file."""
    if call is None:
        return False
    name = call.name.lower()
    return name in _SEARCHES or name in CONTINUING or (name in _SHELLS and not _reads(call))


def is_data(call: Block | None) -> bool:
    """True for a result whose JSON is data: of a command or a search, or of a tool that has nothing to do with files."""
    if call is None:
        return False
    name = call.name.lower()
    told = (
        name in _SHELLS or name in CONTINUING or path_in(call.arguments) != "" or _READING_TOOL.search(name) is not None
    )
    return is_output(call) or (name != "" and not told)


def _reads(call: Block) -> bool:
    """True when a shell's command shows a file, or when no command can be seen."""
    said = [value for _, value in call.arguments]
    return not said or any(_READING.search(each) for each in said)
