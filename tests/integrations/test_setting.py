import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.integrations.errors import CannotIntegrate
from tokenpak.integrations.formats import FORMATS
from tokenpak.integrations.setting import Foreign, places, put, put_back, read
from tokenpak.integrations.splices import reversed_splices, spliced

OURS = "http://127.0.0.1:8766/v1"
JSON_KEY = ("env", "BASE_URL")

WORDS = st.text("abcXYZ é{}[]#\\\"',:/-_=$", max_size=8)
NAMES = st.text("abcdefgh", min_size=1, max_size=4)
URLS = st.sampled_from(["https://gateway.corp/v1", "http://localhost:4000", ""])
NEWLINES = st.sampled_from(["\n", "\r\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def json_texts(draw):
    """JSON as editors leave it: any indentation, comments wherever white space may be, trailing commas."""
    held = draw(st.dictionaries(NAMES, VALUES, max_size=4))
    if draw(st.booleans()):
        env = draw(st.dictionaries(NAMES, WORDS, max_size=3))
        if draw(st.booleans()):
            env["BASE_URL"] = draw(URLS)
        held["env"] = env
    newline = draw(NEWLINES)
    blank = st.sampled_from(["", " ", "\t", newline, newline + "   ", f" // c{newline}", "/* , } */ "])

    def written(value):
        space = lambda: draw(blank)  # noqa: E731
        if isinstance(value, dict):
            members = [f"{space()}{json.dumps(k)}{space()}:{space()}{written(v)}{space()}" for k, v in value.items()]
            opening, closing = "{", "}"
        elif isinstance(value, list):
            members, opening, closing = [f"{space()}{written(v)}{space()}" for v in value], "[", "]"
        else:
            return json.dumps(value)
        comma = f",{space()}" if members and draw(st.booleans()) else ""
        return opening + (",".join(members) or space()) + comma + closing

    style = draw(st.sampled_from(["odd", "2", "tab", "dense"]))
    if style == "odd":
        return draw(blank) + written(held) + draw(blank)
    text = json.dumps(held, indent={"2": 2, "tab": "\t", "dense": None}[style], ensure_ascii=draw(st.booleans()))
    return text.replace("\n", newline) + draw(st.sampled_from(["", newline]))


@st.composite
def toml_texts(draw):
    newline = draw(NEWLINES)
    quoted = st.text("abc #=[]", max_size=6)
    plain = st.builds(lambda n, v: f"k{n} = '{v}'", NAMES, quoted) | st.builds(
        lambda n, v: f'm{n} = """\n[{v}]\nbase_url = "x"\n"""', NAMES, quoted
    )
    aside = st.sampled_from(["", "# base_url = 'no'", "  # c"])
    top = draw(
        st.lists(plain | aside, max_size=4, unique_by=lambda line: line.split("=")[0] if "=" in line else object())
    )
    if draw(st.booleans()):
        quote = draw(st.sampled_from(["'", '"']))
        name = draw(st.sampled_from(["base_url", '"base_url"', "  base_url  "]))
        top.insert(draw(st.integers(0, len(top))), f"{name}= {quote}{draw(URLS)}{quote} # mine")
    tables = [f"[t{n}]{newline}base_url = 'other'" for n in range(draw(st.integers(0, 2)))]
    return newline.join([*top, *tables]).replace("\r\n", "\n").replace("\n", newline) + draw(
        st.sampled_from(["", newline])
    )


@st.composite
def yaml_texts(draw):
    newline = draw(NEWLINES)
    lines = []
    for number in range(draw(st.integers(0, 4))):
        lines += draw(
            st.sampled_from([
                [f"a{number}: 1 # c"], [f"b{number}:", "  - x", "  -   y: 'z'"], [f"c{number}: |", "  base: no", ""],
                [f"d{number}: {{e: f, g: [h]}}"], ["# base: 'no'"], [""], [f"e{number}: >-", "  folded", "  text"],
                [f'f{number}: "two', '  lines"'], [f"g{number}: !tag v"], [f"h{number}:"],
            ])
        )  # fmt: skip
    if draw(st.booleans()):
        quote = draw(st.sampled_from(["'", '"', ""]))
        lines.append(f"base: {quote}{draw(URLS)}{quote} # mine")
        lines += draw(st.sampled_from([[], ["z: 1"], ["# end"]]))
    return newline.join(lines) + draw(st.sampled_from(["", newline, newline * 2]))


@st.composite
def dotenv_texts(draw):
    newline = draw(NEWLINES)
    lines = draw(
        st.lists(
            st.sampled_from([
                "A=1", "export B='two words' # c", "# BASE=no", "", 'C="over', 'BASE=lines"', "  D = `x`", "E=", "nonsense",
                "BASE=http://first", "export BASE = 'http://second' # c", 'BASE="http://third"', "BASE=",
            ]),
            max_size=6,
        )
    )  # fmt: skip
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


CASES = {
    "json": (json_texts(), JSON_KEY),
    "toml": (toml_texts(), ("base_url",)),
    "yaml": (yaml_texts(), ("base",)),
    "dotenv": (dotenv_texts(), ("BASE",)),
}


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_what_is_put_is_there_and_goes_without_a_trace(name, data):
    texts, key = CASES[name]
    text = data.draw(texts)
    proposal, change = put(name, text, key, OURS)
    after = spliced(text, proposal)
    assert read(name, after, key) == OURS
    assert spliced(after, put(name, after, key, OURS)[0]) == after
    assert spliced(after, reversed_splices(proposal)) == text
    assert sum(len(each.old) for each in proposal) <= len(change.was or "")
    back = spliced(after, put_back(name, after, change))
    assert repr(FORMATS[name].load(back)) == repr(FORMATS[name].load(text))


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_a_line_break_of_the_text_is_the_line_break_of_what_is_put(name, data):
    texts, key = CASES[name]
    text = data.draw(texts.filter(lambda text: "\n" in text and text.count("\n") == text.count("\r\n")))
    after = spliced(text, put(name, text, key, OURS)[0])
    assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_a_last_line_without_a_break_stays_so(name, data):
    texts, key = CASES[name]
    text = data.draw(texts.filter(lambda text: text.strip()))
    after = spliced(text, put(name, text, key, OURS)[0])
    assert after.endswith("\n") == text.endswith("\n")


def test_what_is_not_a_text_is_foreign():
    assert read("json", '{"env": {"BASE_URL": 1}}', JSON_KEY) == Foreign()
    assert read("json", '{"env": {"BASE_URL": null}}', JSON_KEY) is None
    assert read("json", "{}", JSON_KEY) is None


def test_places_differ_in_numbers_only():
    text = '{"l": [{"u": 1}, {}, {"u": 2}]}'
    assert places("json", text, ("l", 9, "u")) == (("l", 0, "u"), ("l", 1, "u"), ("l", 2, "u"))
    assert places("json", text, ("x", 0, "u")) == ()


def test_a_proposal_that_changes_more_is_not_taken(monkeypatch):
    from tokenpak.integrations.formats import jsonc
    from tokenpak.integrations.splices import Splice

    text = '{"a": 1}'
    wild = Splice(0, text, json.dumps({"a": 2, "env": {"BASE_URL": OURS}}))
    monkeypatch.setattr(jsonc, "additions", lambda *_: iter([(wild,)]))
    with pytest.raises(CannotIntegrate, match=r"env\.BASE_URL cannot be changed there"):
        put("json", text, JSON_KEY, OURS)


def test_order_counts_as_well(monkeypatch):
    from tokenpak.integrations.formats import jsonc
    from tokenpak.integrations.splices import Splice

    text = '{"a": 1, "b": 2}'
    wild = Splice(0, text, json.dumps({"b": 2, "a": 1, "env": {"BASE_URL": OURS}}))
    monkeypatch.setattr(jsonc, "additions", lambda *_: iter([(wild,)]))
    with pytest.raises(CannotIntegrate):
        put("json", text, JSON_KEY, OURS)
