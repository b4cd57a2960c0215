import pytest

from tokenpak.integrations.errors import CannotIntegrate, Unreadable
from tokenpak.integrations.formats.yaml import load
from tokenpak.integrations.setting import put, put_back
from tokenpak.integrations.splices import spliced

URL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", f"u: {URL}\n"),
        ("# c\n", f"# c\nu: {URL}\n"),
        ("a: 1 # c\n# end\n", f"a: 1 # c\nu: {URL}\n# end\n"),
        ("a: 1", f"a: 1\nu: {URL}"),
        ("a:\n- 1\n\nb:\n  c: 1\n", f"a:\n- 1\n\nb:\n  c: 1\nu: {URL}\n"),
        ("a: |+\n  t\n\n", f"u: {URL}\na: |+\n  t\n\n"),
        ("---\na: 1\n...\n", f"---\na: 1\nu: {URL}\n...\n"),
        ("{a: 1}\n", f"{{a: 1, u: {URL}}}\n"),
        ("u: 'x' # c\n", f"u: '{URL}' # c\n"),
        ("u:\nb: 1\n", f"u: {URL}\nb: 1\n"),
        ("a: !tag x\n", f"a: !tag x\nu: {URL}\n"),
    ],
)
def test_a_key_stands_beside_the_others(text, wanted):
    proposal, change = put("yaml", text, ("u",), URL)
    assert spliced(text, proposal) == wanted
    if change.was != "":  # a null that was not written leaves the space behind its colon
        assert spliced(wanted, put_back("yaml", wanted, change)) == text


def test_a_member_of_a_list_has_its_own_indentation():
    text = "m:\n  - n: a # c\n    p: x\n    r: [1,\n      2]\n  - {n: b}\n"
    first = spliced(text, put("yaml", text, ("m", 0, "u"), URL)[0])
    assert first == text.replace("      2]\n", f"      2]\n    u: {URL}\n")
    second = spliced(text, put("yaml", text, ("m", 1, "u"), URL)[0])
    assert second == text.replace("{n: b}", f"{{n: b, u: {URL}}}")


@pytest.mark.parametrize(
    "text", ["a: [1", "a: 1\n b: 2\n", "a: 1\na: 2\n", "a: &x [*x]\n", "a: 1\n---\nb: 1\n", "\x00"]
)
def test_what_is_no_yaml_is_not_read(text):
    with pytest.raises(Unreadable):
        load(text)


@pytest.mark.parametrize(("text", "key"), [("a: &x http://f\nu: *x\n", ("a",)), ("a: &x {u: f}\nb: *x\n", ("b", "u"))])
def test_a_value_that_stands_for_two_is_not_changed(text, key):
    with pytest.raises(CannotIntegrate, match="cannot be changed there"):
        put("yaml", text, key, URL)
