"""`tokenpak expand`: a sent request with every marker expanded, from its bytes alone."""

import sys
from typing import Literal

from tokenpak.core.body import Unreadable
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Format


def expand(*, format: Literal["anthropic", "openai", "responses"]) -> int:  # noqa: A002 - the word of the option
    """Expand every marker of a sent request, from its bytes alone.

    Reads the body on standard input and prints it. Nothing but these bytes is used: no plan, no original, no cache.

    Parameters
    ----------
    format
        API format of the body.

    """
    sent = sys.stdin.buffer.read()
    if not sent.strip():
        sys.stderr.write("tokenpak: the body on standard input is empty\n")
        return 1
    try:
        sys.stdout.buffer.write(expand_body(Format(format), sent))
    except Unreadable as error:
        sys.stderr.write(f"tokenpak: this is no {format} request that can be read exactly ({error})\n")
        return 1
    return 0
