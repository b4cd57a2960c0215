import inspect

from tokenpak.proxy.room import Compressing, Recording
from tokenpak.services.dispatch import Dispatch
from tokenpak.services.record import Recorder


def test_the_services_are_what_an_exchange_expects():
    for shape, real in ((Compressing, Dispatch), (Recording, Recorder)):
        for name, wanted in inspect.getmembers(shape, inspect.isfunction):
            if not name.startswith("_"):
                assert (
                    inspect.signature(getattr(real, name)).parameters.keys()
                    == inspect.signature(wanted).parameters.keys()
                )
