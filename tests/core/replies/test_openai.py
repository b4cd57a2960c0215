"""Streams and documents made up after the public shapes; responses that end incomplete or failed were never recorded."""

import msgspec
import pytest

from tokenpak.core.echo import EchoWatch, NoEcho
from tokenpak.core.replies.openai import DONE, OpenAI
from tokenpak.core.replies.reading import WORD_BYTES_PER_TOKEN, Usage

MARKER = "[lines 12-66: same as in Read cli/clean.go #482913]"
CHAT = {
    "prompt_tokens": 1000,
    "completion_tokens": 60,
    "total_tokens": 1060,
    "prompt_tokens_details": {"cached_tokens": 700, "cache_write_tokens": 200},
    "completion_tokens_details": {"reasoning_tokens": 40},
}
RESPONSES = {
    "input_tokens": 1000,
    "output_tokens": 60,
    "total_tokens": 1060,
    "input_tokens_details": {"cached_tokens": 700, "cache_write_tokens": 200},
    "output_tokens_details": {"reasoning_tokens": 40},
}
CLASSES = Usage(uncached=100, cache_read=700, cache_write_other=200, output=60, reasoning=40)


def chunk(delta=None, finish=None, usage=None, index=0, **more):
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return {"object": "chat.completion.chunk", "model": "gpt-x", "choices": choices, "usage": usage, **more}


def response(kind, status, usage=None, **more):
    return {
        "type": f"response.{kind}",
        "response": {"object": "response", "status": status, "model": "gpt-y", "error": None, "usage": usage, **more},
    }


def read(*events, watch=None, named=True) -> OpenAI:
    reading = OpenAI(watch or NoEcho())
    for event in events:
        data = event if isinstance(event, bytes) else msgspec.json.encode(event)
        name = event.get("type", "") if named and isinstance(event, dict) else ""
        reading.event(name.encode(), data)
    return reading


def whole(document, watch=None) -> OpenAI:
    reading = OpenAI(watch or NoEcho())
    reading.document(msgspec.json.encode(document))
    return reading


def spaced(event) -> bytes:
    return msgspec.json.format(msgspec.json.encode(event), indent=1)


@pytest.mark.parametrize("write", [msgspec.json.encode, spaced], ids=["dense", "spaced"])
def test_a_chat_tells_usage_in_its_last_chunk(write):
    events = [chunk({"role": "assistant"}), chunk({"content": "hi"}), chunk({}, "stop"), chunk(usage=CHAT)]
    reading = read(*map(write, events))
    assert (reading.usage(), reading.model, reading.stop_reason, reading.basis()) == (
        CLASSES,
        "gpt-x",
        "stop",
        "provider",
    )
    assert reading.finished


def test_a_chat_without_usage_tells_none():
    reading = read(chunk({"content": "hi"}), chunk({}, "length"), DONE)
    assert (reading.usage(), reading.basis()) == (Usage(output=1), "estimate")
    assert (reading.stop_reason, reading.finished) == ("length", True)


@pytest.mark.parametrize(
    ("delta", "size"),
    [
        ({"role": "assistant", "content": "x" * 40}, 40),
        ({"content": "\u00e9" * 20}, 40),
        ({"content": [{"type": "text", "text": "x" * 40}]}, 40),
        ({"content": None, "refusal": "x" * 40}, 40),
        ({"reasoning_content": "x" * 40, "reasoning": "x" * 40}, 40),
        (
            {
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f" * 8, "arguments": "x" * 32}}
                ]
            },
            40,
        ),
        ({"tool_calls": [{"custom": {"input": "x" * 40}}]}, 40),
        ({"function_call": {"arguments": "x" * 40}}, 40),
        ({"audio": {"data": "x" * 40}}, 0),
    ],
)
def test_an_output_without_usage_is_estimated_from_the_size_of_its_words(delta, size):
    expected = Usage(output=size // WORD_BYTES_PER_TOKEN) if size else Usage()
    for reading in (read(chunk(delta), chunk({}, "stop"), DONE), whole({"choices": [{"index": 0, "message": delta}]})):
        assert (reading.usage(), reading.basis()) == (expected, "estimate" if size else None)


def test_an_estimate_never_fills_a_gap_in_what_was_told():
    reading = read(chunk({"content": "x" * 40}), chunk({}, "stop"), chunk(usage={"prompt_tokens": 9}), DONE)
    assert (reading.usage(), reading.basis()) == (Usage(uncached=9), "provider")


def test_an_old_completion_is_estimated_too():
    assert read({"choices": [{"text": "x" * 40}]}, DONE).usage() == Usage(output=40 // WORD_BYTES_PER_TOKEN)


@pytest.mark.parametrize("named", [True, False])
def test_a_response_that_was_cut_is_estimated_from_its_deltas(named):
    reading = read(
        response("created", "in_progress"),
        {"type": "response.output_text.delta", "delta": "x" * 20},
        {"type": "response.function_call_arguments.delta", "delta": "x" * 20},
        {"type": "response.audio.delta", "delta": "x" * 20},
        {"type": "response.output_text.done", "text": "x" * 20},
        named=named,
    )
    assert (reading.usage(), reading.basis()) == (Usage(output=40 // WORD_BYTES_PER_TOKEN), "estimate")
    assert not reading.finished


def test_a_chat_that_promised_usage_is_complete_with_it_only():
    promised = [chunk({"content": "hi"}), chunk({}, "stop")]
    unpromised = [{key: value for key, value in one.items() if key != "usage"} for one in promised]
    assert not read(*promised).finished
    assert read(*promised, chunk(usage=CHAT)).finished
    assert read(*unpromised).finished


def test_searches_of_the_web_are_counted_beside_the_tokens():
    ended = response("completed", "completed", RESPONSES, tool_usage={"web_search": {"num_requests": 3}})
    assert (read(ended).searches, read(ended).usage()) == (3, CLASSES)


def test_done_ends_a_chat_that_gave_no_reason():
    assert not read(chunk({"content": "hi"})).finished
    assert read(chunk({"content": "hi"}), DONE).finished


def test_usage_with_every_chunk_counts_once_the_last_wins():
    steps = ({"prompt_tokens": 9, "completion_tokens": n, "total_tokens": 9 + n} for n in (1, 2, 3))
    assert read(*(chunk({"content": "x"}, usage=step) for step in steps)).usage() == Usage(uncached=9, output=3)


@pytest.mark.parametrize(
    "more",
    [{"x_groq": {"usage": CHAT}}, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": CHAT}]}],
    ids=["beside", "in the choice"],
)
def test_usage_in_the_places_imitators_put_it(more):
    assert read(chunk({"content": "x"}), {**chunk(), **more}).usage() == CLASSES


@pytest.mark.parametrize(
    ("usage", "classes"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 2}, Usage(uncached=10, output=2)),
        ({"prompt_tokens": 10, "cached_tokens": 4}, Usage(uncached=6, cache_read=4)),
        (
            {"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6},
            Usage(uncached=6, cache_read=4),
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": None, "cached_tokens": 0}, Usage(uncached=10, cache_read=0)),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}, Usage(uncached=10, cache_read=40)),
        ({"total_tokens": 12}, Usage()),
        ({"prompt_tokens": 5, "total_tokens": 5}, Usage(uncached=5)),
    ],
)
def test_imitators_of_usage(usage, classes):
    assert whole({"object": "chat.completion", "usage": usage}).usage() == classes


def test_reasoning_beside_the_output_is_put_into_it_when_the_total_says_so():
    usage = {
        "prompt_tokens": 298,
        "completion_tokens": 17,
        "total_tokens": 485,
        "completion_tokens_details": {"reasoning_tokens": 170},
    }
    assert whole({"usage": usage}).usage() == Usage(uncached=298, output=187, reasoning=170)


def test_a_whole_chat():
    reading = whole(
        {
            "object": "chat.completion",
            "model": "gpt-x",
            "choices": [{"index": 0, "message": {}, "finish_reason": "stop"}],
            "usage": CHAT,
        }
    )
    assert (reading.usage(), reading.model, reading.stop_reason, reading.finished) == (CLASSES, "gpt-x", "stop", True)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("kind", "status", "more", "stop"),
    [
        ("completed", "completed", {}, "completed"),
        ("incomplete", "incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ("failed", "failed", {"error": {"code": "server_error", "message": "text"}}, "failed"),
    ],
)
def test_the_end_of_a_response(named, kind, status, more, stop):
    begun = [response("created", "in_progress"), response("in_progress", "in_progress")]
    reading = read(
        *begun,
        {"type": "response.output_text.delta", "delta": "hi"},
        response(kind, status, RESPONSES, **more),
        named=named,
    )
    assert (reading.usage(), reading.model, reading.stop_reason, reading.finished) == (CLASSES, "gpt-y", stop, True)
    assert reading.error == ("server_error" if kind == "failed" else None)


def test_a_response_that_ends_without_usage():
    reading = read(
        response("created", "in_progress"),
        response("incomplete", "incomplete", incomplete_details={"reason": "content_filter"}),
    )
    assert (reading.finished, reading.basis(), reading.stop_reason) == (True, None, "content_filter")


def test_a_whole_response():
    document = response("completed", "completed", RESPONSES)["response"]
    assert (whole(document).usage(), whole(document).stop_reason) == (CLASSES, "completed")
    queued = whole({**document, "status": "queued", "usage": None})
    assert (queued.usage(), queued.basis(), queued.stop_reason) == (Usage(), None, None)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"error": {"message": "text", "type": "server_error", "code": None}}, "server_error"),
        ({"error": {"message": "text", "code": 429}}, "429"),
        ({"error": "text"}, "error"),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "text", "param": None}, "rate_limit_exceeded"),
        ({"type": "error", "error": {"type": "invalid_request_error"}}, "invalid_request_error"),
    ],
)
def test_an_error_inside_a_stream(event, kind):
    reading = read(chunk({"content": "hi"}), event)
    assert (reading.error, reading.finished) == (kind, True)
    assert whole(event).error == kind


def test_the_answer_to_a_question_for_a_count_used_nothing():
    reading = whole({"object": "response.input_tokens", "input_tokens": 12})
    assert (reading.usage(), reading.basis()) == (Usage(uncached=12), "count")


def test_deltas_are_not_decoded_once_usage_is_told_and_nobody_listens():
    reading = read(chunk({"content": "hi"}, usage=CHAT))
    reading.event(b"", b'{"choices":[{"delta":{"content":"x"},"finish_reason":null}],"usage":null,not json')
    reading.event(b"response.output_text.delta", b"{not json")
    with pytest.raises(ValueError, match="malformed"):
        reading.event(b"", b'{"usage":{},not json')


def in_deltas(text, wrap):
    return [wrap(text[at : at + 5]) for at in range(0, len(text), 5)]


def call(index, arguments):
    return chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})


ARGUMENTS = msgspec.json.encode({"content": f"a\n{MARKER}\n"}).decode()


@pytest.mark.parametrize(
    ("text", "wrap"),
    [
        (MARKER, lambda part: chunk({"content": part})),
        (MARKER, lambda part: chunk({"content": [{"type": "text", "text": part}]})),
        (ARGUMENTS, lambda part: call(1, part)),
        (ARGUMENTS, lambda part: chunk({"function_call": {"arguments": part}})),
        (MARKER, lambda part: chunk({"tool_calls": [{"index": 0, "custom": {"input": part}}]})),
        (
            MARKER,
            lambda part: {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": part},
        ),
        (MARKER, lambda part: {"type": "response.custom_tool_call_input.delta", "output_index": 2, "delta": part}),
        (ARGUMENTS, lambda part: {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": part}),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_an_echo_in_deltas(text, wrap, named):
    watch = EchoWatch()
    read(*in_deltas(text, wrap), watch=watch, named=named)
    assert watch.heard


def test_an_echo_spread_over_two_calls_is_none():
    watch = EchoWatch()
    read(call(0, MARKER[:20]), call(1, MARKER[20:]), watch=watch)
    assert not watch.heard


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "content": [{"type": "output_text", "text": MARKER}]},
        {"type": "function_call", "arguments": ARGUMENTS},
        {"type": "custom_tool_call", "input": MARKER},
        {"type": "shell_call", "action": {"commands": [f"cat <<X\n{MARKER}\nX"]}},
    ],
)
def test_an_echo_in_whole_items(item):
    watch = EchoWatch()
    whole({"object": "response", "output": [{"type": "reasoning"}, item]}, watch)
    assert watch.heard
    watch = EchoWatch()
    read({"type": "response.output_item.done", "output_index": 0, "item": item}, watch=watch)
    assert watch.heard


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"so\n{MARKER}"},
        {"content": None, "tool_calls": [{"function": {"arguments": ARGUMENTS}}]},
        {"content": None, "tool_calls": [{"function": {"arguments": {"content": MARKER}}}]},
    ],
)
def test_an_echo_in_whole_messages(message):
    watch = EchoWatch()
    whole({"choices": [{"index": 0, "message": message}]}, watch)
    assert watch.heard


def test_reasoning_is_not_watched():
    watch = EchoWatch()
    read(
        chunk({"reasoning_content": MARKER, "reasoning": MARKER}),
        {"type": "response.reasoning_text.delta", "delta": MARKER},
        {"type": "response.reasoning_summary_text.delta", "delta": MARKER},
        {"type": "response.output_item.done", "item": {"type": "reasoning", "summary": [{"text": MARKER}]}},
        watch=watch,
    )
    whole({"object": "response", "output": [{"type": "reasoning", "summary": [{"text": MARKER}]}]}, watch)
    assert not watch.heard


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"choices": [{"index": [1], "delta": 3}]},
        {"choices": [{"delta": {"tool_calls": {"a": 1}}}]},
        {"choices": [{"delta": {"tool_calls": [3, {"index": {}}]}}]},
        {"type": 3},
        {"type": "response.x.delta", "output_index": []},
    ],
)
def test_odd_events_are_borne(odd):
    read({**chunk({"content": "x"}), **odd}, watch=EchoWatch(), named=False)
