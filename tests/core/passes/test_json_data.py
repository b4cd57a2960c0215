"""JSON in tool results."""

import json

import pytest

from tests.core.passes.asked import Worth, sent, target, whole, words
from tokenpak.core.passes import json_data

ROWS = [{"flight_number": f"HAT{n}", "origin": "MSP", "seats": n, "price": None} for n in range(40)]


def test_tables_and_white_space():
    text = "Found:\n" + json.dumps(ROWS)
    (read,) = sent(["json-space", "json-tables"], text, name="search_flight", date="2024-05-21")
    lines = words(read).split("\n")
    assert lines[:2] == [
        "Found:",
        '[next line: JSON, shown without white space (", " and ": "), lists of objects as keys and rows]',
    ]
    assert lines[2].startswith('{"keys":["flight_number","origin","seats","price"],"rows":[["HAT0","MSP",0,null],')


def test_each_by_itself():
    spaced, compact = json.dumps(ROWS), json.dumps(ROWS, separators=(",", ":"))
    assert sent(["json-tables"], spaced, name="search_flight") == [spaced]
    assert "keys and rows" in sent(["json-tables"], compact, name="search_flight")[0]
    assert sent(["json-space"], compact, name="search_flight") == [compact]
    assert words(sent(["json-space"], spaced, name="search_flight")[0]).endswith("\n" + compact)


def test_an_indented_text_goes_on_one_line():
    text = json.dumps({"items": ROWS}, indent=2)
    assert "(indent 2)" in sent(["json-space"], text, name="get_order")[0]


def test_a_file_is_never_rewritten():
    text = json.dumps(ROWS)
    assert sent(["json-space", "json-tables"], text, name="Read", path="rows.json") == [text]
    assert sent(["json-space", "json-tables"], text, command="cat rows.json") == [text]
    assert sent(["json-space", "json-tables"], text, name="get_file_contents", name_of_it="x") == [text]


def proposed(text: str, tokens: int) -> list[str]:
    made = json_data.propose(target(text), whole(text), ["json-space", "json-tables"], Worth(tokens))
    return [change.name for change in made]


@pytest.mark.parametrize(("tokens", "made"), [(16, ["json-tables"]), (15, [])])
def test_what_it_must_save(tokens: int, made: list[str]):
    assert proposed(json.dumps(ROWS), tokens) == made


@pytest.mark.parametrize(("count", "made"), [(7, 7), (8, 8), (9, 8)])
def test_so_many_texts_are_tried(count: int, made: int):
    assert len(proposed("\n".join([json.dumps(ROWS)] * count), 99)) == made


@pytest.mark.parametrize(("chars", "made"), [(120, ["json-space"]), (119, [])])
def test_the_shortest_text_that_is_looked_at(chars: int, made: list[str]):
    text = json.dumps({"k": ""})
    assert proposed(text.replace('""', '"' + "x" * (chars - len(text)) + '"'), 99) == made


def test_beside_what_looks_like_a_table_white_space_still_goes():
    text = json.dumps({"table": {"keys": ["a"], "rows": [[1], [2]]}, "list": ROWS})
    (read,) = sent(["json-space", "json-tables"], text, name="search_flight", date="2024-05-21")
    head, line = words(read).split("\n")
    assert head == '[next line: JSON, shown without white space (", " and ": ")]'
    assert line == json.dumps(json.loads(text), separators=(",", ":"))
