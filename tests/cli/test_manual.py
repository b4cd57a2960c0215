import pytest

from tokenpak.cli.manual import Page, epilogue, flowed, page_of

PAGES = {
    "x": Page({"x": "It."}),
    "x make": Page({"x make": "Make."}),
    "x make all": Page({"x make all": "All."}),
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], "x"),
        (["--help"], "x"),
        (["make", "--help"], "x make"),
        (["make", "all", "--help"], "x make all"),
        (["make", "wood", "--help"], "x make"),
        (["--help", "make"], "x"),
    ],
)
def test_a_page_is_found_by_the_words_the_line_begins_with(words, found):
    assert page_of("x", words, PAGES) is PAGES[found]


def test_a_command_without_a_page_has_that_of_the_command_above():
    assert page_of("x", ["other"], PAGES) is PAGES["x"]
    assert page_of("y", [], PAGES) is None


def test_the_parts_stand_below_each_other_and_empty_ones_not_at_all():
    page = Page({"x a": "Does a."}, {0: "well", 130: "ended"}, {"HOME": "Where."}, {"x.toml": "Settings."}, ("y", "z"))
    assert epilogue(page) == (
        "Examples:\n  x a\n      Does a.\n\nExit codes:\n  0    well\n  130  ended\n\n"
        "Environment:\n  HOME  Where.\n\nFiles:\n  x.toml\n      Settings.\n\nSee also:\n  y, z"
    )
    assert epilogue(Page({"x a": "Does a."})) == "Examples:\n  x a\n      Does a."


DOCSTRING = """Do it.

    It is done in
    two lines.

    Parameters
    ----------
    first
        Words that go
        on.
    second
        Other words.

    """


def test_paragraphs_become_a_line_each_and_names_stay_apart():
    assert flowed(DOCSTRING).rstrip().split("\n") == [
        *("Do it.", "", "It is done in two lines.", "", "Parameters", "----------"),
        *("first", "    Words that go on.", "second", "    Other words."),
    ]


def test_what_flows_once_stays():
    assert flowed(flowed(DOCSTRING)) == flowed(DOCSTRING)
