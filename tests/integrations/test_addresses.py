import pytest

from tokenpak.integrations.addresses import is_loopback, may_be_kept, origin, plain, same_place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8766/v1", "http://127.0.0.1:8766"),
        ("https://a.b", "https://a.b:443"),
        ("http://[::1]:1/x", "http://[::1]:1"),
        ("ftp://a", None),
        ("http://a:bad", None),
        ("sk-ant-key", None),
        ("", None),
    ],
)
def test_the_place_of_a_url(url, place):
    assert origin(url) == place


def test_names_of_this_machine_are_one():
    assert same_place("http://localhost:1/v1", "http://127.0.0.1:1")
    assert same_place("http://[::1]:1", "http://127.0.0.1:1")
    assert not same_place("http://localhost:1", "http://localhost:2")
    assert not same_place("http://localhost:1", "https://a:1")
    assert not same_place("x", "x")


def test_only_this_machine_is_loopback():
    assert is_loopback("http://127.1.2.3:1")
    assert not is_loopback("http://127.example.org")
    assert not is_loopback("http://10.0.0.1")


@pytest.mark.parametrize("value", ["", "https://a/v1", "$BASE", "${BASE}", "{env:BASE}", "${{ secrets.BASE }}"])
def test_addresses_and_references_may_be_kept(value):
    assert may_be_kept(value)


@pytest.mark.parametrize(
    "value", ["sk-ant-1", "https://me:pw@a", "https://key@a", "https://a?key=1", "https://a#x", "$A$B"]
)
def test_what_may_be_a_secret_may_not(value):
    assert not may_be_kept(value)


def test_what_is_shown_of_a_url_is_its_place():
    assert plain("https://me:pw@a/v1?key=1#x") == "https://a:443/v1"
    assert plain("sk-ant-1") == "(not a URL)"
