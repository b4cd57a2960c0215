import json

import pytest
from estimate_lab import recording, working

from tests.core.contract import Words
from tests.core.readings import responses
from tokenpak.cli.estimate import claude_code, recordings
from tokenpak.cli.estimate.pairs import COUNTED, countable, model_of, of_body, of_turns
from tokenpak.cli.estimate.replay import Means
from tokenpak.cli.estimate.request import STAND_IN
from tokenpak.cli.estimate.turns import Turn
from tokenpak.config.prices import in_force, shipped
from tokenpak.core.body import Unreadable
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Format, Policy

CLAUDE = Format.ANTHROPIC
MEANS = Means(Words(), in_force(shipped(), {}, "2026-03-01"))


def turns(read):
    return [each for each in read if isinstance(each, Turn)]


def test_the_last_request_of_a_log_in_both_forms():
    pair = of_turns("x", CLAUDE, turns(claude_code.turns(working().raw(), "x")), MEANS)
    original, sent = json.loads(pair.original), json.loads(pair.sent)
    assert len(original["messages"]) == 23
    assert set(original) == set(sent) == {"model", "messages", "tools"} <= set(COUNTED[CLAUDE])
    assert len(pair.sent) < len(pair.original)
    assert [tool["name"] for tool in original["tools"]] == ["Read"] != [STAND_IN]
    assert 0 < pair.removed < pair.tokens
    bare = json.dumps({name: value for name, value in sent.items() if name != "tools"}).encode()  # as it was decided
    assert json.loads(expand_body(Format.ANTHROPIC, bare))["messages"] == original["messages"]


def test_where_nothing_is_edited_there_is_no_pair():
    assert of_turns("x", CLAUDE, turns(claude_code.turns(working(turns=1).raw(), "x")), MEANS) is None
    assert of_turns("x", CLAUDE, [], MEANS) is None
    assert of_body("x", CLAUDE, b'{"model":"m","messages":[{"role":"user","content":"go"}]}', Policy(), MEANS) is None


def test_a_body_keeps_its_own_tools_and_may_be_counted_for_another_model():
    body = b'{"model":"m","max_tokens":1,"stream":true,"tools":[{"name":"T"}],"messages":[]}'
    assert json.loads(countable(CLAUDE, body)) == {"model": "m", "tools": [{"name": "T"}], "messages": []}
    assert model_of(CLAUDE, countable(CLAUDE, body, "other")) == "other"
    assert "tools" not in json.loads(countable(CLAUDE, b'{"model":"m","messages":[{"role":"user","content":"x"}]}'))


def test_a_body_that_cannot_be_read():
    with pytest.raises(Unreadable):
        of_body("x", CLAUDE, b'{"messages":7}', Policy(), MEANS)


def test_other_formats_have_no_pairs():
    for fmt in (CLAUDE, Format.OPENAI_RESPONSES):
        assert of_turns("x", fmt, turns(recordings.turns(recording(format="openai"), "x")), MEANS) is None


def test_a_responses_body_keeps_what_openais_count_takes():
    body = responses("a", "b").replace(b"{", b'{"stream":true,"store":false,"include":[],"instructions":"be brief",', 1)
    asked = json.loads(countable(Format.OPENAI_RESPONSES, body))
    assert set(asked) <= set(COUNTED[Format.OPENAI_RESPONSES])
    assert asked["instructions"] == "be brief"
    assert asked["input"] == json.loads(body)["input"]
