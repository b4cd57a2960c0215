import json
import time
from datetime import UTC, datetime

import pytest
from money_lab import USED, told
from report_lab import fill
from store_lab import name_of

from tokenpak.cli.commands.show import show
from tokenpak.config import prices
from tokenpak.config.paths import paths_for
from tokenpak.core.cost import cost
from tokenpak.core.usage import Usage
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.queries import StoreUnreadableError

MODEL = "claude-opus-4-6"


def table(place):
    return prices.load(paths_for(place), {}, datetime.now(UTC).astimezone().date().isoformat()).table


@pytest.fixture
def state(tmp_path):
    fill(tmp_path)
    known = table(tmp_path)
    bill = cost(USED, known.find("anthropic", MODEL).prices)
    money = {"model_served": MODEL, "price_id": known.id, "factor": 1.25}
    book = Book(paths_for(tmp_path).database)
    book.commit(told(11, time.time_ns(), cost_nanos=bill, **money))
    book.commit(told(12, time.time_ns(), cost_nanos=bill + 5_000_000, **money))
    book.commit(told(13, time.time_ns(), cost_nanos=bill, **{**money, "price_id": "2020-01-01+00000000"}))
    book.commit(told(14, time.time_ns(), cost_nanos=None, usage=Usage(), usage_basis=None))
    book.commit(told(15, time.time_ns(), cost_nanos=0, usage=Usage(), usage_basis=None, cache_origin="proxy"))
    searched = cost(USED, known.find("anthropic", MODEL).prices, 2)
    book.commit(told(16, time.time_ns(), cost_nanos=searched, web_searches=2, **money))
    book.commit(told(17, time.time_ns(), cost_nanos=None, web_searches=2, model_served="gpt-5"))
    book.close()
    return tmp_path


def test_the_whole_arithmetic(state, capsys):
    assert show(name_of(11), state_dir=state) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert ["uncached", "10", "5", "$0.0001"] in lines
    assert ["cache_read", "20", "0.5", "<$0.0001"] in lines
    assert ["proxy", "compression", "estimate", "100", "<$0.0001", "<$0.0001"] in lines
    assert ["read", "10", "20"] in lines
    assert ["write_1h", "0", "-"] in lines
    assert ["line-runs", "3", "90"] in lines
    assert "1.2500 tokens of the model's for one of o200k_base" in out
    assert "!" not in out


def test_searches_have_a_line_of_their_own(state, capsys):
    show(name_of(16), state_dir=state)
    out = capsys.readouterr().out
    assert ["web_search", "2", "10", "a", "thousand", "$0.0200"] in [line.split() for line in out.splitlines()]
    assert "!" not in out


def test_searches_without_a_price_are_shown_all_the_same(state, capsys):
    show(name_of(17), state_dir=state)
    assert "web searches: 2" in capsys.readouterr().out


def test_a_bill_that_is_not_what_was_stored_is_said_to_be(state, capsys):
    show(name_of(12), state_dir=state)
    assert "which is not what was stored" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (13, "it was priced by table 2020-01-01+00000000"),
        (14, "reported no usage"),
        (15, "a stored answer was given again"),
        (1, "no price was known"),
    ],
)
def test_why_there_is_no_bill(state, capsys, number, why):
    show(name_of(number), state_dir=state)
    out = capsys.readouterr().out
    assert why in out
    assert "DOLLARS" not in out


def test_who_caused_a_miss(state, capsys):
    show(name_of(1), state_dir=state)
    assert "missed 77 tokens: expired" in capsys.readouterr().out


def test_as_json_and_csv(state, capsys):
    show(name_of(11), json=True, state_dir=state)
    told_ = json.loads(capsys.readouterr().out)
    assert told_["request"]["savings"][0]["mechanism"] == "provider_cache"
    assert sum(line[3] for line in told_["bill"]) // 1000 == told_["request"]["cost_nanos"]
    show(name_of(11), csv=True, state_dir=state)
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize(
    ("beginning", "why"), [("019e", "more than one"), ("nobody", "no request"), ("", "no request")]
)
def test_a_name_that_names_none_or_several(state, beginning, why):
    with pytest.raises(StoreUnreadableError, match=why):
        show(beginning, state_dir=state)
