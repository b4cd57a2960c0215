"""Every module has a test file at the mirrored place, or an entry here that says why not. The list shrinks itself."""

from pathlib import Path

ROOT = Path(__file__).parent.parent

EXEMPT = {
    "tokenpak/core/patch.py": "declares values only; every test of the engine uses them",
    "tokenpak/integrations/errors.py": "declares values only; every refusal of an integration is one of them",
    "tokenpak/integrations/outcome.py": "declares values only; what every test of an integration looks at",
    "tokenpak/ipc/events.py": "declares values only; tested where they are packed and stored",
}


def mirrored(module: Path) -> Path:
    return ROOT / "tests" / module.relative_to("tokenpak").with_name(f"test_{module.name}")


def modules() -> list[Path]:
    found = (path.relative_to(ROOT) for path in (ROOT / "tokenpak").rglob("*.py"))
    return sorted(path for path in found if path.name != "__init__.py" and "versions" not in path.parts)


def test_every_module_has_its_test_file():
    missing = [str(m) for m in modules() if not mirrored(m).exists() and str(m) not in EXEMPT]
    assert not missing


def test_exemptions_are_still_needed():
    stale = [path for path in EXEMPT if not (ROOT / path).exists() or mirrored(Path(path)).exists()]
    assert not stale
