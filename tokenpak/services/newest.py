"""A mapping with a bound, for what is kept to save work and may be forgotten."""

from collections import OrderedDict
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Newest(OrderedDict[_K, _V]):
    """A bounded mapping: what was not used for longest goes first. A `get` is no use; a look-up by key is."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    def __setitem__(self, key: _K, value: _V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._bound:
            self.popitem(last=False)

    def __getitem__(self, key: _K) -> _V:
        self.move_to_end(key)
        return super().__getitem__(key)
