import pytest

from tokenpak.core.replies.reading import MAX_WORD, count, error_word, follow, less, plus, strings, word


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (0, 0),
        (12, 12),
        (12.0, 12),
        (12.5, None),
        (-1, None),
        (True, None),
        ("12", None),
        (None, None),
        (2**60, None),
        ({}, None),
    ],
)
def test_a_count_is_a_whole_number_of_sane_size(value, counted):
    assert count(value) == counted


def test_a_path_ends_where_there_is_no_object():
    assert follow({"a": {"b": 1}}, ("a", "b")) == 1
    assert follow({"a": [1]}, ("a", "b")) is None
    assert follow(None, ("a",)) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "secret"}, "overloaded_error"),
        ({"code": 429, "message": "secret", "status": "RESOURCE_EXHAUSTED"}, "RESOURCE_EXHAUSTED"),
        ({"type": None, "code": "server_error"}, "server_error"),
        ({"type": "error", "code": 502}, "502"),
        ({"type": "a secret\nfor {nobody}"}, "error"),
        ("secret", "error"),
        ({}, "error"),
    ],
)
def test_an_error_is_known_by_its_kind_never_by_its_text(error, kind):
    assert error_word(error) == kind


def test_words_are_strings_with_something_in_them():
    assert [word(value) for value in ("a", "", None, 3)] == ["a", None, None, None]
    assert word("x" * 1000) == "x" * MAX_WORD


def test_a_total_without_its_parts():
    assert less(100, 80, None, 5) == 15
    assert less(100, None) == 100
    assert less(None, 80) is None
    assert less(10, 80) == 10


def test_a_sum_of_what_is_known():
    assert plus(1, None, 2) == 3
    assert plus(None, None) is None


def test_strings_are_found_at_any_sane_depth():
    deep: object = "deepest"
    for _ in range(100):
        deep = [deep]
    assert list(strings({"a": "one", "b": ["two", {"c": "three"}, 4], "d": deep})) == ["one", "two", "three"]
