"""The control path, `/__mock/…`: what tests and the demo ask of the mock, and how they make it misbehave.

    GET    /__mock/statistics             counts
    GET    /__mock/log?after=N            requests after number N, bodies in base64; &fields=head leaves bodies out
    DELETE /__mock/log
    GET    /__mock/bodies/N               the body of request N, raw
    GET    /__mock/faults                 the faults that are armed
    POST   /__mock/faults                 arm one fault or a list: {"fault": "refuse", "status": 529, "times": 1}
    DELETE /__mock/faults
    POST   /__mock/answers                what the model says next: [{"text": "…", "calls": [{"name": …, "arguments": …}]}]
    POST   /__mock/manner                 {"pieces": 100, "interval_s": 0.01, "think_s": 0, "coding": "gzip"}
    POST   /__mock/reset                  forget cache, log, faults and answers

No fault touches these paths and no request for them is recorded.
"""

from urllib.parse import parse_qs

import msgspec

from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Answer, Manner, encoded
from tokenpak.mock_provider.faults import BadFault, parse_json
from tokenpak.mock_provider.record import entry, summary
from tokenpak.mock_provider.reply import Reply, Request, plain

PREFIX = "/__mock/"


def answer(provider: Provider, request: Request, open_connections: int) -> Reply:
    """The reply to a request under the control path."""
    words = request.path.removeprefix(PREFIX).split("/")
    match (request.method, *words):
        case ("GET", "statistics"):
            return _statistics(provider, open_connections)
        case ("GET", "log"):
            return _log(provider, request)
        case ("GET", "bodies", number) if number.isdecimal():
            return _body(provider, int(number))
        case ("GET", "faults"):
            return plain(200, encoded(provider.faults.armed()))
        case ("POST", "faults" | "answers" | "manner" as what):
            return _set(provider, what, request.body)
        case ("DELETE", "log"):
            provider.record.clear()
        case ("DELETE", "faults"):
            provider.faults.disarm()
        case ("POST", "reset"):
            provider.reset()
        case _:
            return plain(404, b'{"error":"no such control path"}')
    return plain(200, b"{}")


def _statistics(provider: Provider, open_connections: int) -> Reply:
    counts = {
        "record": provider.record.statistics(),
        "provider": provider.statistics(),
        "connections": open_connections,
    }
    return plain(200, encoded(counts))


def _log(provider: Provider, request: Request) -> Reply:
    query = parse_qs(request.query)
    after = query.get("after", ["0"])[0]
    if not after.isdecimal():
        return plain(400, b'{"error":"after: a number is needed"}')
    shown = summary if query.get("fields") == ["head"] else entry
    return plain(200, encoded([shown(received) for received in provider.record.since(int(after))]))


def _body(provider: Provider, number: int) -> Reply:
    received = provider.record.one(number)
    if received is None:
        return plain(404, b'{"error":"that request is not kept"}')
    return plain(200, received.body, media="application/octet-stream")


def _set(provider: Provider, what: str, body: bytes) -> Reply:
    try:
        if what == "faults":
            provider.faults.arm(parse_json(body))
        elif what == "answers":
            provider.answers.extend(msgspec.json.decode(body, type=list[Answer]))
        else:
            provider.manner = msgspec.json.decode(body, type=Manner)
    except (BadFault, msgspec.DecodeError, UnicodeDecodeError) as error:
        return plain(400, encoded({"error": str(error)}))
    return plain(200, b"{}")
