"""JSON in tool results."""

import json

from tests.core.passes.asked import sent, words

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
