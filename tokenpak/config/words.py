"""What a user is told of a key: said once, beside the key, for the reference (docs/reference/configuration.md).

The keys of the top carry their words in `Annotated`, as they carry their bounds; msgspec does not mind. Keys of tables have
theirs in a mapping beside whoever reads the table, because what is written there (dollars, say) is often not what is kept.
"""

from collections.abc import Mapping
from typing import NamedTuple, get_args, get_type_hints

import msgspec


class Words(NamedTuple):
    """text: what it does, in whole sentences. example: TOML that may stand in the file. unit: of its number.

    kind, range: what is written and between which bounds, where the type of the field says something else.
    """

    text: str
    example: str = ""
    unit: str = ""
    kind: str = ""
    range: str = ""


def words_of(struct: type[msgspec.Struct]) -> Mapping[str, Words]:
    """The words of those fields that carry some."""
    hints = get_type_hints(struct, include_extras=True)
    found = ((name, each) for name, hint in hints.items() for each in get_args(hint) if isinstance(each, Words))
    return dict(found)
