"""Why a request is answered here instead of going to a provider: the vocabulary, without any HTTP.

Core decides that a request is refused and says so with one of these words; `proxy/refuse.py` alone knows which status,
shape and sentence a client of that provider understands. The words are also the `error_code` of the request's row.
"""

from typing import Literal

import msgspec

Fault = Literal[
    "foreign_host",
    "foreign_origin",
    "no_token",
    "too_many",
    "forward_proxy",
    "websocket",
    "unknown_path",
    "over_budget",
    "secret_found",
    "unsearched",
    "busy",
    "stopping",
    "upstream_unreachable",
    "upstream_silent",
    "upstream_broken",
    "internal",
]
"""foreign_host, foreign_origin: a browser was led here by somebody else's page. no_token: clients must show a token
of their own, and this one has none that is known. too_many: its client or session has as many requests under way as it may. forward_proxy: the client believes that
TokenPak is an HTTP proxy. websocket: only HTTP is spoken. unknown_path: no provider owns the path. over_budget: a budget of the user's
has no room for it. secret_found: it holds what may not leave this machine. unsearched: nobody can tell whether it does. busy: too many
requests are in flight. stopping: the process ends. upstream_*: no connection, no answer in time, no proper answer.
internal: a defect of ours."""


class Refuse(msgspec.Struct, frozen=True):
    """A decision not to forward. detail: what in the request led to it, shown to the client; never a header value that
    could be a secret. provider: whose error shape the client reads, None where no provider is known.
    """

    fault: Fault
    detail: str = ""
    provider: str | None = None
