import pytest

from tokenpak.core.headers import HOP_BY_HOP, first_values, forwarded, relayed, resized, tokens


def out(lines, host=b"api.example.com"):
    return forwarded(lines, first_values(lines), host)


def test_everything_else_passes_in_order_and_as_written():
    lines = [
        (b"X-Stainless-Lang", b"js"),
        (b"x-stainless-lang", b""),
        (b"X-STAINLESS-LANG", b"\xe9\xff"),
        (b"Cookie", b"a=1"),
        (b"Authorization", b"Bearer k"),
    ]
    assert out([(b"HOST", b"localhost"), *lines]) == [(b"HOST", b"api.example.com"), *lines]


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_lines_between_neighbours_stay_here_both_ways(name):
    lines = [(b"Host", b"h"), (name.title(), b"x"), (b"a", b"b")]
    assert out(lines) == [(b"Host", b"api.example.com"), (b"a", b"b")]
    assert relayed([(name.upper(), b"x"), (b"a", b"b")], []) == [(b"a", b"b")]


def test_every_connection_line_nominates():
    lines = [
        (b"Host", b"h"),
        (b"Connection", b"keep-alive, X-One"),
        (b"connection", b"x-two"),
        (b"X-One", b"1"),
        (b"x-two", b"2"),
        (b"x-three", b"3"),
    ]
    assert out(lines) == [(b"Host", b"api.example.com"), (b"x-three", b"3")]
    assert relayed([(b"Connection", b"x-one"), (b"X-One", b"1")], []) == []


def test_framing_and_host_cannot_be_nominated_away():
    lines = [(b"Host", b"h"), (b"Connection", b"content-length, host, transfer-encoding"), (b"Content-Length", b"3")]
    assert out(lines) == [(b"Host", b"api.example.com"), (b"Content-Length", b"3")]


def test_a_length_beside_chunked_is_dropped():
    lines = [(b"Host", b"h"), (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")]
    assert out(lines) == [(b"Host", b"api.example.com"), (b"Transfer-Encoding", b"chunked")]
    assert relayed(lines[1:], []) == []


def test_expectation_answered_here_goes_no_further_and_others_do():
    assert out([(b"Host", b"h"), (b"Expect", b"100-Continue")]) == [(b"Host", b"api.example.com")]
    assert (b"Expect", b"tea") in out([(b"Host", b"h"), (b"Expect", b"tea")])


@pytest.mark.parametrize("name", [b"X-TokenPak-Session", b"x-tokenpak-request-id", b"X-TPK-Key"])
def test_our_own_words_do_not_reach_a_provider(name):
    assert out([(b"Host", b"h"), (name, b"v")]) == [(b"Host", b"api.example.com")]


def test_a_host_is_added_where_http_1_0_had_none():
    assert out([(b"a", b"b")]) == [(b"Host", b"api.example.com"), (b"a", b"b")]


def test_resized_changes_length_and_coding_only():
    lines = [(b"Host", b"h"), (b"Content-Encoding", b"gzip"), (b"CONTENT-LENGTH", b"9"), (b"a", b"b")]
    assert resized(lines, 120) == [(b"Host", b"h"), (b"CONTENT-LENGTH", b"120"), (b"a", b"b")]
    assert resized([(b"Transfer-Encoding", b"chunked")], 5) == [(b"Transfer-Encoding", b"chunked")]


def test_response_lines_pass_and_ours_replace_those_of_an_outer_tokenpak():
    lines = [
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
        (b"X-TokenPak-Profile", b"theirs"),
        (b"Transfer-Encoding", b"chunked"),
    ]
    own = [(b"x-tokenpak-profile", b"ours")]
    assert relayed(lines, own) == [*lines[:2], *own]


def test_tokens():
    assert tokens(b" A, b ,,C") == {b"a", b"b", b"", b"c"}
    assert tokens(None) == set()
