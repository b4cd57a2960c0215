import inspect

from tokenpak.proxy.room import Compressing, Recalling, Recording, Searching, Spending
from tokenpak.services.budgets import Budgets
from tokenpak.services.dispatch import Dispatch
from tokenpak.services.record import Recorder
from tokenpak.services.redaction import Redaction
from tokenpak.services.response_cache import ResponseCache


def test_the_services_are_what_an_exchange_expects():
    pairs = ((Compressing, Dispatch), (Recording, Recorder), (Spending, Budgets), (Searching, Redaction))
    pairs = (*pairs, (Recalling, ResponseCache))
    for shape, real in pairs:
        for name, wanted in inspect.getmembers(shape, inspect.isfunction):
            if not name.startswith("_"):
                assert (
                    inspect.signature(getattr(real, name)).parameters.keys()
                    == inspect.signature(wanted).parameters.keys()
                )
