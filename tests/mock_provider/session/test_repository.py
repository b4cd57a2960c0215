from random import Random

import pytest

from tokenpak.mock_provider.session.repository import PACKAGE, Repository, numbered


@pytest.fixture
def repository():
    return Repository(Random(1), 3)


def test_numbers_as_clients_show_them():
    assert numbered(["a", "b"], 9, "tab") == "9\ta\n10\tb"
    assert numbered(["a", ""], 99, "padded") == "    99→a\n   100→"


def test_reads_parts(repository):
    path = repository.path(0)
    lines = repository.files[path].splitlines()
    assert repository.read(path, "tab", 5, 2) == f"5\t{lines[4]}\n6\t{lines[5]}"


def test_an_edit_changes_the_next_read_and_says_where(repository):
    path = repository.path(0)
    old = repository.files[path].splitlines()[10]
    line = repository.edit(path, old, "one\ntwo")
    assert "\n".join([f"{line}\tone", f"{line + 1}\ttwo"]) in repository.read(path, "tab")
    assert "one" in repository.around(path, line, 2, "padded")


def test_searches_list_what_is_there(repository):
    for row in repository.search(r"^class ").splitlines():
        name, number, text = row.split(":", 2)
        assert repository.files[f"{PACKAGE}/{name.rpartition('/')[2]}"].splitlines()[int(number) - 1] == text


def test_a_failure_quotes_the_function_as_it_is_now(repository):
    path = repository.path(1)
    name = repository.functions(path)[0]
    found, number, body = repository.function(name)
    assert found == path
    assert repository.files[path].splitlines()[number - 1] == body.splitlines()[0]
    output = repository.test_run(name)
    assert "1 failed" in output
    assert f"    {body.splitlines()[0]}" in output
    assert "failed" not in repository.test_run(None)


def test_an_unknown_function_is_an_error(repository):
    with pytest.raises(KeyError):
        repository.function("nowhere")


def test_written_files_are_listed(repository):
    repository.write(f"{PACKAGE}/new.py", "x = 1\n")
    assert "new.py" in repository.listing()
    assert len(repository.log("x", 7).splitlines()) == 7
