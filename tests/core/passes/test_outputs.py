"""What is output of a command, and what shows a file."""

import pytest

from tests.core.passes.asked import call
from tokenpak.core.passes.outputs import is_data, is_output


@pytest.mark.parametrize(
    "command",
    [
        "make test",
        "gh run view 1 --log | head -300",
        "rg -n pattern src | tail -5",
        "cd /repo && go test ./... 2>&1 | grep -v ok",
        "find . -name '*.py'",
        "npm run concatenate",
    ],
)
def test_outputs(command: str):
    assert is_output(call("Bash", command=command))
    assert is_data(call("Bash", command=command))


@pytest.mark.parametrize(
    "command",
    [
        "cat a.py",
        "sed -n 1,20p a.py",
        "cd /repo && /bin/cat a.py",
        "git show HEAD:a.py",
        "git -C /repo diff",
        "git log -p",
        "find . | xargs cat",
        "find . -exec cat {} +",
        "for f in *; do cat $f; done",
        "python3 - <<'E'\nprint(open('a').read())\nE",
        "python3 - <<EOF\nprint(1)\nEOF",
        "node <<-EOF\nx\nEOF",
        "python -c 'print(1)'",
        "sudo head a.py",
        "make && tail -n 3 a.py",
        'tools.exec({cmd: "sed -n 1,5p a.py"})',
    ],
)
def test_reads(command: str):
    assert not is_output(call("Bash", command=command))
    assert not is_data(call("Bash", command=command))


def test_tools():
    assert is_output(call("Grep", pattern="x"))
    assert is_output(call("wait", cell_id=7))
    assert not is_output(call("Read", file_path="a"))
    assert not is_output(call("Bash"))
    assert not is_output(None)
    assert is_data(call("search_direct_flight", origin="MSP"))
    assert not is_data(call("fetch_page", url="x"))
    assert not is_data(call("lookup", path="x"))
    assert not is_data(None)
