import pytest

from tokenpak.integrations.errors import Unreadable
from tokenpak.integrations.formats.jsonc import load
from tokenpak.integrations.setting import put
from tokenpak.integrations.splices import spliced

KEY = ("env", "U")


def after(text):
    return spliced(text, put("json", text, KEY, "V")[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '{\n  "env": {\n    "U": "V"\n  }\n}\n'),
        ('{\n    "a": 1\n}\n', '{\n    "a": 1,\n    "env": {\n        "U": "V"\n    }\n}\n'),
        ('{\n\t"env": {\n\t\t"A": "x" // mine\n\t}\n}', '{\n\t"env": {\n\t\t"A": "x", // mine\n\t\t"U": "V"\n\t}\n}'),
        ('{\n  "env": {\n    "A": "x",\n  },\n}', '{\n  "env": {\n    "A": "x",\n    "U": "V",\n  },\n}'),
        ('{"a":1}', '{"a":1, "env":{"U":"V"}}'),
        ('{"env":{}}', '{"env":{"U":"V"}}'),
        ('{"a": 1 // c\n}', '{"a": 1, "env": {"U": "V"} // c\n}'),
        ('{"a": 1, // c\n}', '{"a": 1, "env": {"U": "V"}, // c\n}'),
        ('{"env": {"U": null}}', '{"env": {"U": "V"}}'),
        ('{\n  "a" : 1\n}', '{\n  "a" : 1,\n  "env" : {\n    "U" : "V"\n  }\n}'),
    ],
)
def test_what_is_added_looks_like_what_is_there(text, wanted):
    assert after(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1",
        '{"a" 1}',
        '{"a": 1 "b": 2}',
        '{"a": 01}',
        "{} {}",
        '{"a": "\n"}',
        "{a: 1}",
        '{"a": "\\x"}',
        "[,]",
        "nul",
        "/* {}",
    ],
)
def test_what_is_no_json_is_not_read(text):
    with pytest.raises(Unreadable, match=r"line [12] is not JSON"):
        load(text)


def test_the_complaint_names_no_text():
    with pytest.raises(Unreadable) as caught:
        load('{"key": "a",\n secret}')
    assert str(caught.value) == "line 2 is not JSON"


def test_depth_is_no_crash():
    with pytest.raises(Unreadable, match="nested too deeply"):
        load("[" * 100_000)


def test_numbers_are_what_is_written():
    assert load("[1, 1.0]") != load("[1, 1]")
    assert load('{"a": [true, null, "x\\u00e9"], // c\n}') == {"a": [("json", "true"), None, "xé"]}
    assert load("// nothing\n") == {}
