import pytest

from tokenpak.mock_provider.faults import (
    BadFault,
    Cut,
    CutAt,
    Drop,
    ErrorEvent,
    Refuse,
    Send,
    Slow,
    Stall,
    Switchboard,
    Wait,
    interrupted,
    parse_json,
    parse_words,
    refusal_of,
    with_error_event,
)


def test_faults_from_words_and_json_are_the_same():
    cases = {
        "refuse status=429 retry_after=1.5 times=2": b'{"fault":"refuse","status":429,"retry_after":1.5,"times":2}',
        "error_event after=3": b'{"fault":"error_event","after":3}',
        "cut at_byte=10 path=/v1/messages": b'{"fault":"cut","at_byte":10,"path":"/v1/messages"}',
        "stall at_byte=10 seconds=2": b'{"fault":"stall","at_byte":10,"seconds":2}',
        "slow seconds=0.5": b'{"fault":"slow","seconds":0.5}',
        "drop": b'{"fault":"drop"}',
    }
    found = {type(parse_words(words)) for words in cases}
    assert found == {Refuse, ErrorEvent, CutAt, Stall, Slow, Drop}
    for words, raw in cases.items():
        assert [parse_words(words)] == parse_json(raw)


@pytest.mark.parametrize("words", ["nothing", "cut at_byte", "cut at_byte=x", "refuse when=now"])
def test_bad_words_are_refused(words):
    with pytest.raises(BadFault):
        parse_words(words)


def test_bad_json_is_refused():
    for raw in (b"", b"{", b'{"fault":"no"}', b'{"fault":"cut","colour":1}'):
        with pytest.raises(BadFault):
            parse_json(raw)


def test_each_fault_hits_as_often_as_it_was_told():
    board = Switchboard([Refuse(status=429, times=1), Refuse(status=529, times=2)])
    statuses = [fault and fault.status for fault in (board.take("/v1/messages", streams=True) for _ in range(4))]
    assert statuses == [429, 529, 529, None]
    assert board.hits == 3
    assert board.armed() == []


def test_a_fault_without_a_number_stays_until_it_is_switched_off():
    board = Switchboard()
    board.arm([Drop()])
    assert [board.take("/", streams=False) for _ in range(3)] == [Drop()] * 3
    board.disarm()
    assert board.take("/", streams=False) is None


def test_a_fault_passes_by_what_it_is_not_for():
    board = Switchboard([Drop(path="/v1/responses"), ErrorEvent(times=1)])
    assert board.take("/v1/messages", streams=False) is None
    assert board.take("/v1/messages", streams=True) == ErrorEvent(times=1)
    assert board.take("/v1/responses", streams=False) == Drop(path="/v1/responses")


def test_the_words_of_a_refusal():
    assert refusal_of(Refuse(status=529)).kind == "overloaded_error"
    assert refusal_of(Refuse(status=503)).kind == "api_error"


def test_an_error_event_ends_a_stream():
    assert list(with_error_event([b"a", b"b", b"c"], 2, b"E")) == [b"a", b"b", b"E"]
    assert list(with_error_event([b"a"], 2, b"E")) == [b"a", b"E"]


@pytest.mark.parametrize("at", range(8))
def test_an_interruption_stands_after_exactly_so_many_bytes(at):
    script = [Send(b"abc"), Wait(1.0), Send(b"def")]
    out = list(interrupted(script, at, Cut()))
    before = b"".join(action.data for action in out[: out.index(Cut())] if isinstance(action, Send))
    every = b"".join(action.data for action in out if isinstance(action, Send))
    assert before == b"abcdef"[:at]
    assert every == b"abcdef"
    assert out.count(Cut()) == 1
    assert Wait(1.0) in out
