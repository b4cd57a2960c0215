from tokenpak.mock_provider.call import Answer, Call, ToolCall, Used, canonical, cut_up, objects, sse, without_marks


def test_marks_are_taken_off_at_every_depth_and_nothing_else():
    body = {"b": [{"cache_control": {"type": "ephemeral"}, "text": "x"}], "a": {"cache_control": 1, "c": 2}}
    assert without_marks(body) == {"b": [{"text": "x"}], "a": {"c": 2}}
    assert canonical(body) == b'{"b":[{"text":"x"}],"a":{"c":2}}'


def test_pieces_give_the_text_back():
    for text in ("", "a", "abcdefghij", "é→😀" * 7):
        for pieces in (0, 1, 3, 100):
            cut = cut_up(text, pieces)
            assert "".join(cut) == text
            assert len(cut) <= max(1, pieces)
            assert all(cut)


def test_events_of_a_stream():
    assert sse({"a": 1}, "ping") == b'event: ping\ndata: {"a":1}\n\n'
    assert sse(b"[DONE]") == b"data: [DONE]\n\n"


def test_only_objects_are_objects():
    assert objects([{"a": 1}, 2, "x", None]) == [{"a": 1}]
    assert objects("x") == objects(None) == []


def test_an_answer_is_never_without_tokens():
    assert Answer().tokens == 1
    assert Answer("x" * 40).tokens == 10
    assert Answer("", (ToolCall("Read", {"p": "x"}),)).tokens > 1


def test_ids_are_the_same_in_every_run():
    call = Call(7, "m", Used(), Answer(), 1, {})
    assert call.ident("msg") == "msg_mock_00000007"
    assert call.ident("toolu", 2) == "toolu_mock_00000007_2"
