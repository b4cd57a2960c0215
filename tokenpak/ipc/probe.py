"""One question to a server that may not be there, or may be another one than is thought."""

import http.client
from urllib.parse import urlsplit

LONGEST = 64
"""Bytes of an answer that are read; those we look for are shorter."""


def answer_of(root: str, path: str, timeout_s: float) -> tuple[int, bytes] | None:
    """Status and first bytes of the answer to one GET of `path` at the server of `root`; None where nobody answers in HTTP."""
    parts = urlsplit(root)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port or None, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(LONGEST)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
