"""What became of an integration, for people and for `--json`."""

from typing import Literal

import msgspec

Kind = Literal["planned", "written", "already", "restored", "kept", "nothing", "by_hand", "refused", "failed"]
"""planned: a preview. already: nothing had to be done. restored: as it was before. kept: the user's later value stands.

nothing: there is nothing to undo. by_hand: TokenPak cannot write it, see the steps. refused: it would not work. failed: an
obstacle, named with what to do.
"""


class Outcome(msgspec.Struct, frozen=True):
    """Of one client. words: a sentence or more. file: what was, or would be, written. diff: with secrets masked."""

    client: str
    kind: Kind
    words: str
    file: str | None = None
    diff: str = ""
    notes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
