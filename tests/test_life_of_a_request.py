"""docs/life-of-a-request.md against proxy/exchange.py: the same steps under the same names, in the same order."""

import inspect
import re
from pathlib import Path

from tokenpak.proxy import exchange

PAGE = (Path(__file__).parent.parent / "docs" / "life-of-a-request.md").read_text()


def told():
    return re.findall(r"^### \d+\. (\w+)$", PAGE, re.MULTILINE)


def test_steps_are_functions_in_this_order():
    source = inspect.getsource(exchange.Exchange)
    places = [source.index(f"def {step}(self") for step in told()]
    assert places == sorted(places)


def test_module_and_page_tell_the_same_steps():
    doc = exchange.__doc__
    assert re.findall(r"^    (\w+)  +\S", doc, re.MULTILINE) == told()
