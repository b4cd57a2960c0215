"""One thing that is wrong or worth knowing, with what to do, and how to mend it where that is safely ours."""

from collections.abc import Callable
from typing import Literal, NamedTuple

Weight = Literal["wrong", "note"]
"""wrong: something does not work, or will not. note: worth knowing."""


class Finding(NamedTuple):
    """about: a word for the kind of thing. mend: puts it right and raises OSError where it cannot; None: not ours to do."""

    about: str
    weight: Weight
    what: str
    remedy: str
    mend: Callable[[], object] | None = None
