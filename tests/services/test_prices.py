"""The table of today, loaded once a day, and what it tells the gate of cache marks."""

import pytest

from tokenpak.config.settings import load
from tokenpak.core import ledger
from tokenpak.services import prices as module
from tokenpak.services.prices import PricesInForce


@pytest.fixture
def days(monkeypatch):
    """The days that are read from the clock, the last one for ever."""
    told = ["2026-11-28"]
    monkeypatch.setattr(module, "_today", lambda: told.pop(0) if len(told) > 1 else told[0])
    return told


@pytest.fixture
def settings(tmp_path):
    return load(None, {}, {"state_dir": str(tmp_path)})


def test_a_table_holds_for_its_day(days, settings, monkeypatch):
    loaded = []
    read = module.load
    monkeypatch.setattr(module, "load", lambda *told: loaded.append(told[-1]) or read(*told))
    prices = PricesInForce(settings)
    first = prices()
    assert prices() is first
    assert loaded == ["2026-11-28"]
    days[:] = ["2099-01-01"]
    assert prices() is not first
    assert prices() is prices()
    assert loaded == ["2026-11-28", "2099-01-01"]


def test_today_is_a_day():
    assert len(module._today().split("-")) == 3


def test_marks_are_priced_by_the_model_where_it_is_known(settings):
    prices = PricesInForce(settings)
    assert prices.of_marks("claude-sonnet-4-5-20250929") == ledger.PRICES
    assert prices.of_marks("claude-opus-5-5").read == 0.05
    assert prices.of_marks("claude-3-haiku-20240307").write_5m == pytest.approx(1.2)
    assert prices.of_marks("claude-of-next-year") == ledger.PRICES
    assert prices.of_marks("gpt-4.1") == ledger.PRICES
