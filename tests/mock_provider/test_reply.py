from tokenpak.mock_provider.call import Manner
from tokenpak.mock_provider.faults import Cut, CutAt, Drop, Send, Slow, Stall, Wait
from tokenpak.mock_provider.reply import Manners, Request, plain

PLAIN = Manner()


def stream(fault=None, manner=PLAIN, accept=""):
    return Manners(manner, fault, accept).stream([b"abc", b"def"], "text/event-stream", [("x", "y")])


def test_a_plain_reply():
    reply = plain(404, b"no", [("a", "b")])
    assert dict(reply.headers) == {"content-type": "application/json", "a": "b", "content-length": "2"}
    assert list(reply.script) == [Send(b"no")]


def test_requests_find_headers_whatever_their_case():
    request = Request("GET", "/a?b=c", [("X-Api-Key", "k")], b"")
    assert (request.path, request.query, request.header("x-api-key"), request.header("none")) == ("/a", "b=c", "k", "")


def test_a_stream_has_no_length_and_keeps_its_pieces():
    reply = stream()
    assert "content-length" not in dict(reply.headers)
    assert list(reply.script) == [Send(b"abc"), Send(b"def")]
    assert reply.before == ()


def test_pauses():
    reply = stream(manner=Manner(interval_s=0.5, think_s=2.0))
    assert reply.before == (Wait(2.0),)
    assert list(reply.script) == [Send(b"abc"), Wait(0.5), Send(b"def"), Wait(0.5)]


def test_faults_of_a_reply():
    assert list(stream(CutAt(at_byte=4)).script)[:3] == [Send(b"abc"), Send(b"d"), Cut()]
    assert list(stream(Stall(at_byte=3, seconds=9.0)).script) == [Send(b"abc"), Wait(9.0), Send(b"def")]
    assert stream(Slow(seconds=3.0)).before == (Wait(3.0),)
    assert stream(Drop()).before == (Cut(),)


def test_a_coded_reply_says_so():
    reply = Manners(Manner(coding="gzip"), None, "gzip").whole(b"x" * 1000, ())
    assert dict(reply.headers)["content-encoding"] == "gzip"
    (sent,) = reply.script
    assert int(dict(reply.headers)["content-length"]) == len(sent.data) < 1000
    assert "content-encoding" not in dict(Manners(Manner(coding="gzip"), None, "").whole(b"x", ()).headers)
