from pathlib import Path

from tokenpak.integrations.machine import Machine, package_version


def program(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_directories_follow_their_variable(tmp_path):
    assert Machine(tmp_path, {}).directory("X", ".x") == tmp_path / ".x"
    assert Machine(tmp_path, {"X": " "}).directory("X", ".x") == tmp_path / ".x"
    assert Machine(tmp_path, {"X": "/else"}).directory("X", ".x") == Path("/else")


def test_programs_are_looked_for_on_the_path_that_was_given(tmp_path):
    there = program(tmp_path / "bin" / "two")
    assert Machine(tmp_path, {"PATH": str(tmp_path / "bin")}).program(("one", "two")) == there
    assert Machine(tmp_path, {}).program(("sh",)) is None
    assert Machine(tmp_path, {"PATH": str(tmp_path)}).program(("sh",)) is None


def test_the_version_of_a_node_package_is_read_behind_the_link(tmp_path):
    package = tmp_path / "node_modules" / "@a" / "b"
    real = program(package / "bin" / "b.js")
    (package / "package.json").write_text('{"name": "@a/b", "version": "1.2.3"}')
    link = tmp_path / "bin" / "b"
    link.parent.mkdir()
    link.symlink_to(real)
    assert package_version(link, "@a/b") == "1.2.3"
    assert package_version(link, "other") is None
    (package / "package.json").write_text("{")
    assert package_version(link, "@a/b") is None


def test_the_version_of_a_python_package_is_read_from_its_environment(tmp_path):
    there = program(tmp_path / "bin" / "aider")
    (tmp_path / "lib" / "python3.11" / "site-packages" / "aider_chat-0.86.2.dist-info").mkdir(parents=True)
    assert package_version(there, "aider-chat") == "0.86.2"
    assert package_version(None, "aider-chat") is None


def test_empty_variables_are_not_set():
    assert Machine(Path("/"), {"A": "", "B": "x"}).exported(("A", "B", "C")) == (("B", "x"),)
