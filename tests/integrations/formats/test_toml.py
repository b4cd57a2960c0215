import pytest

from tokenpak.integrations.errors import Unreadable
from tokenpak.integrations.formats.toml import load
from tokenpak.integrations.setting import put
from tokenpak.integrations.splices import spliced


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", 'u = "V"\n'),
        ("a = 1", 'a = 1\nu = "V"'),
        ("a = 1 # c\n\n# about t\n[t]\nu = 'x'\n", "a = 1 # c\nu = \"V\"\n\n# about t\n[t]\nu = 'x'\n"),
        ("# c\n[t]\n", 'u = "V"\n\n# c\n[t]\n'),
        ("a = [\n [1],\n]\n[[t]]\n", 'a = [\n [1],\n]\nu = "V"\n[[t]]\n'),
        ("u = 'x' # c\n", "u = 'V' # c\n"),
        ('a = """\nu = "n"\n"""\n"u" = "x"\n', 'a = """\nu = "n"\n"""\n"u" = "V"\n'),
    ],
)
def test_a_key_stands_above_the_tables(text, wanted):
    assert spliced(text, put("toml", text, ("u",), "V")[0]) == wanted


def test_what_is_no_toml_is_not_read_and_not_shown():
    with pytest.raises(Unreadable) as caught:
        load("a = 1\nsecret\n")
    assert str(caught.value) == "line 2 is not TOML"
