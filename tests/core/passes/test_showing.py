"""What a shell's line may show; most of it is asked in test_outputs.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.passes import programs
from tokenpak.core.passes.showing import shows_no_file

HARMLESS = st.sampled_from(["make", "git status", "npm test", "ls -la", "cd /x", "grep -rn x src", "A=1 go test ./..."])
READS = st.sampled_from(
    ["cat a", "/bin/cat a", "head -n 3 a", "sed -n 1p a", "unheard-of", "git show HEAD:a", "./run.sh"]
)
BETWEEN = st.sampled_from(["; ", " && ", " || ", " & ", "\n"])
AROUND = st.sampled_from(["{}", "({})", "bash -c '{}'", 'echo "$({})"', "if {}\nthen true; fi", "x=`{}`; make"])


@given(st.lists(st.tuples(HARMLESS, BETWEEN), max_size=4), HARMLESS, AROUND)
def test_harmless_commands_in_any_order_show_nothing(before: list[tuple[str, str]], last: str, around: str):
    assert shows_no_file(around.format("".join(a + b for a, b in before) + last))


@given(
    st.lists(st.tuples(HARMLESS, BETWEEN), max_size=3),
    READS,
    st.lists(st.tuples(BETWEEN, HARMLESS), max_size=3),
    AROUND,
)
def test_one_read_is_enough(before: list[tuple[str, str]], read: str, after: list[tuple[str, str]], around: str):
    line = "".join(a + b for a, b in before) + read + "".join(a + b for a, b in after)
    assert not shows_no_file(around.format(line))


@pytest.mark.parametrize("wrapper", sorted(programs.WRAPPERS))
def test_wrappers_are_looked_through(wrapper: str):
    told = f"{wrapper} {'5 ' * programs.WRAPPERS[wrapper].arguments}"
    assert shows_no_file(told + "make")
    assert not shows_no_file(told + "cat a")
    assert not shows_no_file(told + "--unheard-of make")


@pytest.mark.parametrize(("lines", "shows"), [(9, False), (10, True), (100, True)])
def test_wide_surroundings_are_a_read_of_the_file(lines: int, shows: bool):
    assert shows_no_file(f"grep -A {lines} x a") is not shows
    assert shows_no_file(f"make | grep -A {lines} x")
