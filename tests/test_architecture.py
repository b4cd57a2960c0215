"""docs/architecture.md against the tree and the import contracts."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROW = re.compile(
    r"^\|\s*(\d+)\s*\|\s*([^|]+?)\s*\|\s*(semantic|data|control)\s*\|\s*(\*later\* )?`([^`]+)`\s*\|", re.MULTILINE
)
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")
ROOMS = {room.strip().removeprefix("tokenpak.") for layer in LAYERS for room in layer.split("|")}


def test_eighteen_subsystems_in_order():
    assert [int(row[0]) for row in ROW.findall(PAGE)] == list(range(1, 19))


def test_owners_exist_unless_they_are_for_later():
    for number, name, _, later, path in ROW.findall(PAGE):
        assert (ROOT / path).exists() != bool(later), (number, name, path)


def test_planes_own_the_right_rooms():
    semantic = {path.split("/")[1] for _, _, plane, _, path in ROW.findall(PAGE) if plane == "semantic"}
    control = {path.split("/")[1] for _, _, plane, _, path in ROW.findall(PAGE) if plane == "control"}
    assert semantic <= {"tip", "core"}
    assert control <= {"control", "cli", "integrations", "sdk"}


def test_contracts_speak_of_every_room_and_make_no_exception():
    tree = {path.name for path in (ROOT / "tokenpak").iterdir() if (path / "__init__.py").exists()}
    assert tree == ROOMS
    assert all("ignore_imports" not in contract for contract in CONTRACTS)


def test_the_page_prints_the_layers():
    printed = re.search(r"^`(processes[^`]+)`$", PAGE, re.MULTILINE)
    assert printed
    words = [[room.strip() for room in layer.split("|")] for layer in printed[1].split(">")]
    assert words == [[room.strip().removeprefix("tokenpak.") for room in layer.split("|")] for layer in LAYERS]
