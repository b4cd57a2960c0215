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
        "FOO=1 make",
        "sudo -u x nice -n 5 timeout -k 1 5 make test",
        "env -u A B=1 npx tsc --noEmit",
        "command -v node; pwd",
        "bash -lc 'go build ./... 2>&1 | head -100'",
        'for f in $(git ls-files); do wc -l "$f"; done',
        "if [ -d x ]; then make; else (cd y && cargo test); fi  # cat a",
        "echo 'cat a; sed -n 1p b' && git commit -m \"$(printf x)\"",
        "cat > a.py <<'E'\nprint($(cat b))\nE\npytest -q",
        "sed -i 's/a/b/' a.py && npm test",
        "make | sed -n '/x/,$p' | awk '{print $1}' | sort -k 2 | uniq -c | tee log | jq -r .a",
        "git status && git diff --stat && git log --oneline -5",
        "find . -name '*.py' -exec grep -l x {} + | xargs -0 rg -n y",
        "python3 -m pytest -q; uv run mypy; docker compose logs | tail -5",
        "gh api repos/a/b/pulls/1/comments",
        'const r = await tools.exec_command({cmd:"rg -n \\"x\\" src","workdir":"/w"});text(r.output)',
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
        'tools.exec_command({cmd:"make"}); tools.exec_command({cmd:"cat a"})',
        'tools.exec_command({cmd:"make"}); tools.read({path:"a"})',
        "tools.exec_command({cmd:`make`})",
        'tools.exec_command({cmd:"make"}); require("fs")',
        "FOO=1 cat a",
        "env A=1 cat a",
        "sudo -u x cat a",
        "nice cat a",
        "command cat a",
        "exec cat a",
        "time -p cat a",
        "stdbuf -oL cat a",
        "nohup cat a",
        "timeout 5 cat a",
        "sudo --unheard make cat a",
        "ssh h cat a",
        "docker exec c cat a",
        "kubectl exec p -- cat a",
        "parallel cat ::: a",
        "ls | xargs cat",
        "ls | xargs -n 1 head",
        "dd if=a",
        "cp a /dev/stdout",
        "make > /proc/self/fd/1",
        "make; $(<a)",
        'echo "$(<a)"',
        "echo `cat a`",
        'echo "`cat a`"',
        "echo $(make; cat a)",
        "while read l; do echo $l; done < a",
        "curl file:///a",
        "find . -execdir cat {} ';'",
        "find . -exec ls {} + -exec cat {} ';'",
        "fd x -x cat",
        "make | head a",
        "make | sed -n 'r a'",
        "make | awk '{ while ((getline l < \"a\") > 0) print l }'",
        "make | jq 'import \"a\" as $a; $a'",
        "make | tail -n 3 -- a",
        "grep '' a",
        "rg -A 100 def a",
        "grep -C10 def a",
        "grep -v '^#' a",
        "git grep -A 50 def",
        "git log -U5",
        "git show --stat HEAD:a",
        "git stash show -p",
        "git -c x=y rebase --exec 'cat a' main",
        "gh api repos/a/b/contents/c",
        "gh pr diff 1",
        "bash a.sh",
        "bash -c 'cat a'",
        "sh -c \"bash -c 'cat a'\"",
        "python a.py",
        "npx prettier a.ts",
        "uv run cat a",
        "unheard of",
        "$PAGER a",
        "./make_and_show",
        "./test a",
        "f() { cat a; }; f",
        "gcc -E a.c",
        "black --diff a",
        "cat <<E\n$(cat b)\nE",
        "cat > $out < a",
        "case x in x) cat a;; esac",
        "make 'unclosed",
        "# nothing",
        " ",
        "sudo " * 99 + "make",
        "echo " + "$(echo " * 99 + ")" * 99,
    ],
)
def test_reads(command: str):
    assert not is_output(call("Bash", command=command))
    assert not is_data(call("Bash", command=command))


def test_tools():
    assert is_output(call("Grep", pattern="x"))
    assert is_output(call("wait", cell_id=7))
    assert is_output(call("write_stdin", session_id=7, chars="\x03"))
    assert not is_output(call("write_stdin", session_id=7, chars="cat a\n"))
    assert is_output(call("Bash", command="make", description="cat a"))
    assert not is_output(call("Bash", description="make"))
    assert not is_output(call("Read", file_path="a"))
    assert not is_output(call("Bash"))
    assert not is_output(None)
    assert is_data(call("search_direct_flight", origin="MSP"))
    assert not is_data(call("fetch_page", url="x"))
    assert not is_data(call("lookup", path="x"))
    assert not is_data(None)
