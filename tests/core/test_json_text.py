"""JSON rewritten and put back to the letter."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tokenpak.core.json_text import SPACED, put_back, rewritten

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
ROWS = st.lists(
    st.fixed_dictionaries({"name": st.text(max_size=5), "number": st.integers(), "keys": VALUES}), max_size=6
)


@given(VALUES | ROWS, st.sampled_from([None, 1, 2, 4]), st.booleans(), st.booleans(), st.booleans())
def test_what_is_rewritten_comes_back(value: object, indent: int | None, compact: bool, space: bool, rows: bool):
    text = json.dumps(value, indent=indent, separators=(",", ":") if compact and indent is None else None)
    found = rewritten(text, space=space, rows=rows)
    if found is not None:
        assert "\n" not in found.line
        assert len(found.line) < len(text)
        assert put_back(found.line, found.layout, rows=found.rows) == text


LIST = '[{"a":1.0,"b":"12","c":null},{"a":1e5,"b":"x\\u0041","c":null},{"a":12,"b":"","c":true},{"a":0,"b":"z","c":[]}]'


def test_a_list_of_like_objects_is_a_table():
    found = rewritten(LIST, space=True, rows=True)
    assert found is not None
    assert found.line == '{"keys":["a","b","c"],"rows":[[1.0,"12",null],[1e5,"x\\u0041",null],[12,"",true],[0,"z",[]]]}'
    assert put_back(found.line, found.layout, rows=True) == LIST


def test_white_space_of_known_layouts_goes():
    found = rewritten(json.dumps({"a": [1, {"b": {}}], "c": []}, indent=2), space=True, rows=False)
    assert found is not None
    assert (found.line, found.layout) == ('{"a":[1,{"b":{}}],"c":[]}', "indent 2")
    spaced = rewritten('{"a": 1, "b": "x, y: z"}', space=True, rows=False)
    assert spaced is not None
    assert (spaced.line, spaced.layout) == ('{"a":1,"b":"x, y: z"}', SPACED)


@pytest.mark.parametrize(
    "text",
    [
        '{"a" : 1, "b": 2}',
        '{"a": 1,"b": 2}',
        '[{"a":1,"a":2},{"a":3}]',
        '[{"a":1,"b":2},{"b":2,"a":1},{"a":1,"b":2},{"a":1,"b":2}]',
        '{"keys":["a"],"rows":[[1],[2]]}',
        '["x"]',
        "nothing",
        "[1,",
        "[" * 99 + "]" * 99,
        '{"a":tru}',
        "3",
    ],
)
def test_anything_else_is_left_alone(text: str):
    assert rewritten(text, space=True, rows=True) is None


def test_duplicate_keys_survive():
    text = '[{"k": 1, "k": 2}, {"k": 3, "k": 4}, {"k": 5, "k": 6}, {"k": 7, "k": 8}, {"k": 9, "k": 10}]'
    found = rewritten(text, space=True, rows=True)
    assert found is not None
    assert put_back(found.line, found.layout, rows=found.rows) == text


def test_off_means_off():
    assert rewritten(LIST, space=True, rows=False) is None
    assert rewritten('{"a": 1}', space=False, rows=True) is None


def test_beside_an_object_that_looks_like_a_table_only_white_space_goes():
    rows = [{"long_name": n, "other_name": n} for n in range(6)]
    value = {"t": {"keys": ["a"], "rows": [[1], [2]]}, "l": rows}
    compact = json.dumps(value, separators=(",", ":"))
    assert rewritten(json.dumps(value), space=True, rows=True) == (compact, SPACED, False)
    assert put_back(compact, SPACED, rows=False) == json.dumps(value)
    assert rewritten(compact, space=True, rows=True) is None


@given(VALUES | ROWS, st.sampled_from([None, 2]))
def test_tables_are_never_in_the_way_of_white_space(value: object, indent: int | None):
    text = json.dumps([value, {"keys": ["a"], "rows": [[1], [2]]}], indent=indent)
    assume("Infinity" not in text)
    assert rewritten(text, space=True, rows=True) is not None


def test_the_deepest_text_that_is_read():
    deep = "[" * 59 + "[1, 2]" + "]" * 59
    assert rewritten(deep, space=True, rows=True) == (deep.replace(" ", ""), SPACED, False)
    assert rewritten(f"[{deep}]", space=True, rows=True) is None


@pytest.mark.parametrize("rows", [[["a", 1], ["b"]], [["a", 1], ["b", 2, 3]], [["a", 1], "b"]])
def test_rows_that_have_not_one_value_for_each_key_are_no_table(rows: list[object]):
    line = json.dumps({"keys": ["k", "n"], "rows": rows}, separators=(",", ":"))
    assert put_back(line, "", rows=True) == line


@pytest.mark.parametrize(("count", "is_table"), [(2, True), (1, False)])
def test_the_fewest_rows_of_a_table(count: int, is_table: bool):
    found = rewritten(json.dumps([{"a_rather_long_name": 1, "another_one": 2}] * count), space=True, rows=True)
    assert found is not None
    assert found.rows is is_table


@pytest.mark.parametrize(("letters", "is_table"), [(21, True), (20, False)])
def test_a_table_must_be_shorter_than_its_list(letters: int, is_table: bool):
    """One row more saves a key, its quotes and its colon; the words of the table and two commas are to be paid."""
    found = rewritten(json.dumps([{"k" * letters: 1}] * 2), space=True, rows=True)
    assert found is not None
    assert found.rows is is_table
