"""The page on markers is what the code writes, and it has every kind of marker and every pass."""

from pathlib import Path
from typing import get_args

import pytest

from tests.bench import markers_page
from tests.bench.markers_page import SPELLINGS, made, page, window
from tokenpak.core.markers import Marker
from tokenpak.core.patch import PASSES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "markers.md"


def test_the_page_is_what_the_code_writes():
    assert PAGE.read_text() == page(), "python tests/bench/markers_page.py docs/reference/markers.md"


@pytest.mark.parametrize("kind", get_args(Marker))
def test_every_kind_has_its_part(kind):
    assert f"\n## {kind.__name__}\n" in PAGE.read_text()


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_is_told_with_how_to_turn_it_off(name):
    assert f'`without = ["{name}"]`' in PAGE.read_text()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_reference_is_shown(spelling):
    assert f"\n### {spelling[0].upper()}{spelling[1:]}\n" in PAGE.read_text()


def test_every_marker_shown_was_made_by_the_engine():
    words = {each.words for each in made()}
    shown = [line.strip() for line in PAGE.read_text().split("\n") if line.startswith("    [")]
    assert shown
    assert set(shown) <= words


def test_a_pass_that_does_nothing_any_more_is_an_error(monkeypatch):
    monkeypatch.setattr(markers_page, "PASSES", (*PASSES, "other"))
    with pytest.raises(ValueError, match="no pass other"):
        page()


def test_a_long_text_is_shown_by_its_ends():
    text = "\n".join(str(number) for number in range(40))
    assert window(text, 0, len(text)).split("\n") == [*"012345", "⋮ 29 lines", *["35", "36", "37", "38", "39"]]
