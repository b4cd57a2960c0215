"""A bounded mapping forgets what was not used for longest."""

from typing import Any

from tokenpak.services.newest import Newest


def test_newest():
    newest: Any = Newest(2)
    for n in range(4):
        newest[bytes([n]), 0] = ((), ())
    assert list(newest) == [(b"\x02", 0), (b"\x03", 0)]


def test_newest_keeps_what_is_used():
    newest: Any = Newest(2)
    newest[b"a"], newest[b"b"] = 1, 2
    assert newest[b"a"] == 1
    newest[b"c"] = 3
    assert list(newest) == [b"a", b"c"]
