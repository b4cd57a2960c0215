"""The reference of the configuration is what the settings say, and what it shows can be written so."""

import re
from pathlib import Path

import pytest

from tests.bench import configuration_page
from tests.bench.configuration_page import OPTIONS, TABLES, Table, page
from tokenpak.config import budgets
from tokenpak.config.settings import Settings, load
from tokenpak.config.words import words_of
from tokenpak.core import recall

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
COMMAND = "python tests/bench/configuration_page.py docs/reference/configuration.md"


def section(name):
    return PAGE.read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_page_is_what_the_settings_say():
    assert PAGE.read_text() == page(), COMMAND


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_key_has_its_part_and_its_example_is_a_configuration(name, tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", section(name), re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(example)
    load(file, {}, {})


def test_every_variable_shown_with_a_value_can_be_set_so():
    shown = dict(re.findall(r"`(TOKENPAK_\w+)='(.*)'`", PAGE.read_text()))
    assert len(shown) == 6
    for name, value in shown.items():
        setting = name.removeprefix("TOKENPAK_").lower()
        assert getattr(load(None, {name: value}, {}), setting) != getattr(load(None, {}, {}), setting)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("port", ("whole number, 0 to 65,535", "`8766`", "`TOKENPAK_PORT`", "`--port`", "at the start")),
        ("drain_s", ("seconds", "0 to 86,400", "`15.0`")),
        ("level", ('`"off"`, `"lossless"`', '`"lossless"`')),
        ("requests_per_client", ("1 to 100,000", "any number")),
        ("keep_bytes", ("at least 16,777,216", "(1,024 MiB)")),
        ("budgets", ("dollars, 0 to 10,000,000", '`"session"`, `"client"`, `"day"`, `"month"`', "must be there")),
        ("response_cache", ("1,048,576 to 1,073,741,824",)),
    ],
)
def test_it_tells_what_a_value_is_checked_by(name, words):
    for each in words:
        assert each in section(name)


def test_a_key_without_words_is_an_error(monkeypatch):
    told = {name: words for name, words in words_of(Settings).items() if name != "port"}
    monkeypatch.setattr(configuration_page, "words_of", lambda _struct: told)
    with pytest.raises(ValueError, match="port"):
        page()


@pytest.mark.parametrize("words", [{}, {**budgets.WORDS, "other": budgets.WORDS["name"]}])
def test_so_is_one_of_a_table_and_words_about_none(monkeypatch, words):
    monkeypatch.setitem(TABLES, "budgets", (Table("Each budget", words, recall.Bounds),))
    with pytest.raises(ValueError, match="max_bytes"):
        page()


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_told_of_keys(name):
    assert f"`{OPTIONS[name]}`" in section(name)
