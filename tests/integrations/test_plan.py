import pytest

from tests.integrations.house import OTHER_PORT, ROOT, TEXTS, House
from tokenpak.integrations import journal
from tokenpak.integrations.catalog import integration_of
from tokenpak.integrations.plan import carry_out, plan


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path)
    found.put("codex", TEXTS["codex"])
    return found


def planned(house, root=ROOT):
    return plan(integration_of("codex"), house.setup(root), journal.entry_of(house.paths, "codex"))


def test_planning_writes_nothing(house):
    before = house.tree()
    made = planned(house)
    assert made.after != made.before
    assert made.entry is not None
    assert house.tree() == before


def test_a_plan_of_what_is_there_has_nothing_to_write(house):
    house.apply("codex")
    made = planned(house)
    assert made.entry is None
    carry_out(made, house.paths)
    assert made.after == made.before


def test_another_port_starts_from_the_first_text_and_remembers_the_way(house):
    house.apply("codex")
    first = journal.entry_of(house.paths, "codex")
    made = planned(house, OTHER_PORT)
    assert made.entry.before == first.before
    assert made.entry.earlier == first
    assert made.entry.ours == (f"{ROOT}/v1", f"{OTHER_PORT}/v1")


def test_the_way_does_not_grow(house):
    for root in (ROOT, OTHER_PORT, ROOT, OTHER_PORT):
        house.apply("codex", root)
    entry = journal.entry_of(house.paths, "codex")
    assert entry.earlier is not None
    assert entry.earlier.earlier is None
    assert len(entry.ours) == 2


def test_a_file_somebody_has_written_into_is_known_by_values_only(house):
    house.apply("codex")
    file = house.file("codex")
    file.write_text(file.read_text() + "# more\n")
    made = planned(house, OTHER_PORT)
    assert (made.entry.before, made.entry.after, made.entry.splices) == ("", "", ())
    assert [(each.value, each.was) for each in made.entry.changes] == [(f"{OTHER_PORT}/v1", None)]


def test_the_way_back_from_the_way_back_is_fresh(house):
    house.apply("codex")
    house.undo("codex")
    assert planned(house).entry.earlier is None
