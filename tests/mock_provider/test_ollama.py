import json

from tokenpak.mock_provider import ollama
from tokenpak.mock_provider.call import Answer, Call, Used


def call(**body):
    return Call(1, "llama", Used(50), Answer("Hello there"), 3, body)


def test_what_is_read():
    assert ollama.prompt_text({"messages": [{"content": "a"}, {"content": "b"}]}).split() == ["a", "b"]
    assert ollama.prompt_text({"prompt": "p", "system": "s"}).split() == ["p", "s"]


def test_lines_say_the_same_as_the_whole():
    for body in ({"messages": []}, {"prompt": "p"}):
        whole = json.loads(ollama.whole(call(**body)))
        lines = [json.loads(line) for line in ollama.lines(call(**body))]
        said = [line["message"]["content"] if "messages" in body else line["response"] for line in lines]
        assert "".join(said) == "Hello there"
        assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
        assert lines[-1]["prompt_eval_count"] == whole["prompt_eval_count"] == 50


def test_small_replies():
    assert len(json.loads(ollama.embedded(call(input=["a", "b"])))["embeddings"]) == 2
    assert json.loads(ollama.tags())["models"]
    assert "error" in json.loads(ollama.broken())
    assert json.loads(ollama.refusal("x")) == {"error": "x"}
    assert json.loads(ollama.shown())["details"]
