"""A counter that needs no vocabulary."""

from tests.core.contract import Words


class Thirds(Words):
    """Every third of a word is a token, by every way of asking."""

    def __call__(self, text: str) -> int:
        return self.at_least(text)
