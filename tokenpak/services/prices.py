"""The price table in force in a process that lives for weeks: loaded once a day, since a promised price can end."""

from datetime import datetime

from tokenpak.config.prices import Prices, load
from tokenpak.config.settings import Settings
from tokenpak.core.cost import PriceTable
from tokenpak.core.ledger import PRICES as USUAL
from tokenpak.core.ledger import Prices as Relative
from tokenpak.core.ledger import relative
from tokenpak.core.route import ANTHROPIC


class PricesInForce:
    """Calling it gives the table of today."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._day = _today()
        self._loaded = self._load()

    def __call__(self) -> PriceTable:
        """The table; an update installed since takes effect the next day, or with a restart."""
        today = _today()
        if today != self._day:
            self._day = today
            self._loaded = self._load()
        return self._loaded.table

    def of_marks(self, model: str) -> Relative:
        """What caching costs for a model of Anthropic's, in its uncached tokens; the usual where its price is not known."""
        found = self().find(ANTHROPIC, model)
        return relative(found.prices) if found else USUAL

    def _load(self) -> Prices:
        return load(self._settings.paths, self._settings.prices, self._day)


def _today() -> str:
    """The day where the user is, YYYY-MM-DD."""
    return datetime.now().astimezone().date().isoformat()
