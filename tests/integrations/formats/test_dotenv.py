import pytest

from tokenpak.integrations.formats.dotenv import load
from tokenpak.integrations.setting import put, read
from tokenpak.integrations.splices import spliced


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "U=V\n"),
        ("A=1", "A=1\nU=V"),
        ("export U='x' # c\n", "export U='V' # c\n"),
        ("U=1\nU=2\n", "U=1\nU=V\n"),
        ("A='\nU=x'\n", "A='\nU=x'\nU=V\n"),
        ("# U=x\n", "# U=x\nU=V\n"),
        ("U=\nB=2\n", "U=V\nB=2\n"),
    ],
)
def test_a_name_has_one_line_that_counts(text, wanted):
    assert spliced(text, put("dotenv", text, ("U",), "V")[0]) == wanted
    assert read("dotenv", wanted, ("U",)) == "V"


def test_names_and_values_as_node_reads_them():
    assert load("A = 'b c' # d\nexport B: x\nno line\nC=`d`\nD=\n") == {"A": "b c", "B": "x", "C": "d", "D": ""}
    assert len(load("A=1\nA=2\n")) == 2
