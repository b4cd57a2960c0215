import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import planted
from tests.core.writing import Style, restyled
from tokenpak.core.detectors import NAMES
from tokenpak.core.redact import Blocked, Clean, Redacted, Warned, judge, placeholder, search
from tokenpak.core.redaction_terms import Terms

KEY = b"k" * 32
SECRETS = planted.secrets()
TOKEN = SECRETS["github-token"]
ALL = tuple(NAMES)
REDACT = Terms(secrets="redact", pii="redact")


def outcome(body, terms=REDACT, billed=False, memo=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(raw, search(raw, terms.kinds, KEY, {} if memo is None else memo), terms, lambda: billed)


def user(content):
    return {"model": "m", "messages": [{"role": "user", "content": content}]}


PLACES = {
    "a message": user(f"see {TOKEN}"),
    "a text block": user([{"type": "text", "text": f"see {TOKEN}"}]),
    "a tool result": user([{"type": "tool_result", "tool_use_id": "t", "content": f"see {TOKEN}"}]),
    "parts of a result": user(
        [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": f"see {TOKEN}"}]}]
    ),
    "system": {"system": f"see {TOKEN}", "messages": []},
    "system blocks": {"system": [{"type": "text", "text": f"see {TOKEN}"}], "messages": []},
    "the model's words": {"messages": [{"role": "assistant", "content": f"see {TOKEN}"}]},
    "arguments": {
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "i", "name": "n", "input": {"a": [f"see {TOKEN}"]}}],
            }
        ]
    },
    "arguments in text": {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [{"id": "i", "function": {"name": "n", "arguments": json.dumps({"a": f"see {TOKEN}"})}}],
            }
        ]
    },
    "instructions": {"instructions": f"see {TOKEN}", "input": "x"},
    "an input": {"input": f"see {TOKEN}"},
    "an output": {"input": [{"type": "function_call_output", "call_id": "c", "output": f"see {TOKEN}"}]},
    "a command": {"input": [{"type": "local_shell_call", "action": {"command": ["sh", f"see {TOKEN}"]}}]},
    "Gemini": {"contents": [{"role": "user", "parts": [{"text": f"see {TOKEN}"}]}]},
    "Gemini's arguments": {"contents": [{"parts": [{"functionCall": {"name": "n", "args": {"a": f"see {TOKEN}"}}}]}]},
    "Ollama's arguments": {
        "messages": [{"tool_calls": [{"function": {"name": "n", "arguments": {"a": f"see {TOKEN}"}}}]}]
    },
}
FIXED = {
    "a tool's description": {"tools": [{"name": "n", "description": f"see {TOKEN}"}], "messages": []},
    "an id": user([{"type": "tool_result", "tool_use_id": TOKEN, "content": "x"}]),
    "a name": {"messages": [{"content": [{"type": "tool_use", "id": "i", "name": TOKEN, "input": {}}]}]},
    "metadata": {"metadata": {"user_id": TOKEN}, "messages": []},
    "an address": user([{"type": "image_url", "image_url": {"url": f"https://x:{TOKEN}@h/p"}}]),
    "a document": user([{"type": "document", "source": {"type": "text", "data": TOKEN}}]),
    "a member nobody knows": {"messages": [], "new": {"text": TOKEN}},
    "a billing line": {"system": [{"type": "text", "text": f"x-anthropic-billing-header: {TOKEN}"}], "messages": []},
    "a key twice": b'{"messages": [{"role": "user", "content": "x", "content": "' + TOKEN.encode() + b'"}]}',
    "what is no object": json.dumps([TOKEN]).encode(),
    "what is no JSON": b"see " + TOKEN.encode(),
}
SHUT = {
    "thinking": {"messages": [{"content": [{"type": "thinking", "thinking": TOKEN, "signature": TOKEN}]}]},
    "a signature": {"contents": [{"parts": [{"text": "x", "thoughtSignature": TOKEN}]}]},
    "reasoning": {"input": [{"type": "reasoning", "encrypted_content": TOKEN, "summary": [{"text": TOKEN}]}]},
    "a picture": user([{"type": "image", "source": {"type": "base64", "data": TOKEN}}]),
    "a picture's address": user([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TOKEN}"}}]),
}


@pytest.mark.parametrize("place", PLACES)
def test_where_text_stands_a_placeholder_takes_its_place_and_nothing_else_changes(place):
    body = json.dumps(PLACES[place]).encode()
    done = outcome(body)
    assert isinstance(done, Redacted)
    stands = placeholder(KEY, "github-token", TOKEN).encode()
    assert done.body == body.replace(TOKEN.encode(), stands)
    assert [(edit.name, edit.new) for edit in done.edits] == [("redact", stands)]
    assert done.found == Counter()
    assert outcome(done.body) == Clean()


@pytest.mark.parametrize("place", FIXED)
def test_elsewhere_it_can_only_be_refused_or_told_of(place):
    assert outcome(FIXED[place]) == Blocked(Counter({"github-token": 1}), "fixed")
    assert outcome(FIXED[place], Terms(secrets="block")) == Blocked(Counter({"github-token": 1}), "wanted")
    assert outcome(FIXED[place], Terms()) == Warned(Counter({"github-token": 1}))


@pytest.mark.parametrize("place", SHUT)
def test_what_was_sealed_is_not_looked_into(place):
    assert outcome(SHUT[place]) == Clean()


@pytest.mark.parametrize("kind", SECRETS)
def test_every_kind_of_secret_leaves(kind):
    done = outcome(user(f"a {planted.shown(kind, SECRETS[kind])} b"))
    assert isinstance(done, Redacted)
    content = json.loads(done.body)["messages"][0]["content"]
    assert SECRETS[kind] not in content
    assert content == f"a {planted.shown(kind, placeholder(KEY, kind, SECRETS[kind]))} b"


def test_each_class_on_its_own_level():
    body = user(f"{TOKEN} ada@analytical-engines.org")
    assert outcome(body, Terms(secrets="off", pii="off")) == Clean()
    assert outcome(body, Terms()) == Warned(Counter({"github-token": 1}))
    done = outcome(body, Terms(secrets="redact", pii="warn"))
    assert isinstance(done, Redacted)
    assert (done.found, len(done.edits)) == (Counter({"email": 1}), 1)
    assert outcome(body, Terms(secrets="redact", pii="block")) == Blocked(Counter({"email": 1}), "wanted")
    assert outcome(body, Terms(secrets="block", without=("github-token",))) == Clean()


def test_where_the_bill_depends_on_the_bytes_redact_means_block_unless_the_user_wrote_otherwise():
    body = user(TOKEN)
    assert outcome(body, billed=True) == Blocked(Counter({"github-token": 1}), "billed")
    assert isinstance(outcome(body, Terms(secrets="redact", billed="redact"), billed=True), Redacted)
    assert isinstance(outcome(body, Terms(), billed=True), Warned)


def test_a_placeholder_tells_nothing_without_its_key():
    assert placeholder(KEY, "jwt", "s") == placeholder(KEY, "jwt", "s")
    others = [placeholder(b"j" * 32, "jwt", "s"), placeholder(KEY, "jwt", "t"), placeholder(KEY, "aws-key", "s")]
    assert len({placeholder(KEY, "jwt", "s"), *others}) == 4


def test_neither_findings_nor_memory_hold_the_secret():
    memo = {}
    found = search(json.dumps(FIXED["metadata"]).encode(), ALL, KEY, memo)
    found += search(json.dumps(PLACES["a message"]).encode(), ALL, KEY, memo)
    assert len(found) == 2
    assert TOKEN not in repr((found, memo))
    assert TOKEN.encode() not in repr((found, memo)).encode()


STYLES = [
    Style(),
    Style(order="reversed", slashes=True),
    Style(", ", ": ", strings=True),
    Style(ascii=True),
]


@given(st.lists(st.sampled_from([*SECRETS, "", "é"]), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_a_turn_sent_is_what_the_next_one_sends_however_it_is_written(kinds, rng):
    texts = [f"turn {i}: {planted.shown(k, SECRETS[k]) if k in SECRETS else k} → end" for i, k in enumerate(kinds)]
    messages = [
        {"role": "user" if i % 2 == 0 else "assistant", "content": [{"type": "text", "text": text}]}
        for i, text in enumerate(texts)
    ]
    memo = {}
    before = []
    for count in range(1, len(messages) + 1):
        raw = restyled({"model": "m", "max_tokens": 5, "messages": messages[:count]}, rng.choice(STYLES), rng)
        sent = said(outcome(raw, memo=memo), raw)
        assert sent[: len(before)] == before
        assert sent == said(outcome(raw), raw)
        before = sent


def said(done, raw):
    """The texts that leave."""
    contents = [
        message["content"] for message in json.loads(done.body if isinstance(done, Redacted) else raw)["messages"]
    ]
    return [content if isinstance(content, str) else content[0]["text"] for content in contents]


def test_the_same_element_elsewhere_is_another():
    """A tool's definition and a message may be the same bytes; one may be edited and the other not."""
    part = {"text": TOKEN}
    memo = {}
    assert isinstance(outcome({"messages": [part]}, memo=memo), Redacted)
    assert isinstance(outcome({"tools": [part]}, memo=memo), Blocked)
