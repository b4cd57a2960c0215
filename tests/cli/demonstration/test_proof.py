"""The proof must hold for every edited body of a made-up session, and fail for every kind of damage."""

import json
from functools import cache

import pytest

from tokenpak.cli.demonstration.client import encoded
from tokenpak.cli.demonstration.proof import around_markers, prove
from tokenpak.core.markers import parse
from tokenpak.core.patch import Format, Job, Policy
from tokenpak.core.splice import apply_edits
from tokenpak.mock_provider.session import STYLES, session
from tokenpak.services.compress import Compressor
from tokenpak.services.tokens import load_counter


@cache
def edited(style):
    """A client's body, and the same body as TokenPak sends it."""
    made = session(3, style)
    body = encoded(made.requests()[-1])
    fmt = Format(made.format)
    patch = Compressor(load_counter([])).run(Job(fmt, Policy(floor_tokens=2000), ()), body)
    assert len(patch.edits) > 3
    return fmt, body, patch, apply_edits(body, patch.edits)


def marks(new: bytes) -> bool:
    """True when what an edit puts in begins with a marker: the numbers of a text lose their padding in several ranges."""
    return parse(json.loads(b'"' + new + b'"').split("\n", 1)[0]) is not None


@pytest.mark.parametrize("style", STYLES)
def test_holds_for_what_is_sent(style):
    fmt, body, patch, sent = edited(style)
    proof = prove(fmt, body, sent)
    assert proof.failure is None
    assert proof.markers == sum(marks(edit.new) for edit in patch.edits)
    assert 0 < proof.edited <= proof.markers


def test_holds_for_an_untouched_body():
    fmt, body, _, _ = edited("claude-code")
    assert prove(fmt, body, body).edited == 0
    assert prove(fmt, body, body).failure is None


def damaged(sent, patch):
    """Name -> the sent body with one thing changed that must not change."""
    marker = patch.edits[2].new
    number = marker.rindex(b"#") + 1
    wrong_check = marker[:number] + bytes([marker[number] ^ 1]) + marker[number + 1 :]
    digit = next(at for at in range(len(marker)) if marker[at : at + 1].isdigit())
    return {
        "a marker's check": sent.replace(marker, wrong_check, 1),
        "a marker's line number": sent.replace(marker, marker[:digit] + b"7" + marker[digit:], 1),
        "a marker's label": sent.replace(marker, marker.replace(b"same as ", b"same as x", 1), 1),
        "a letter of a text": sent.replace(b"logger.warning", b"logger.warninh", 1),
        "white space between strings": sent.replace(b'","', b'", "', 1),
        "a number": sent.replace(b"32000", b"32001", 1),
        "a key": sent.replace(b'"max_tokens"', b'"max_tokenz"', 1),
        "an escape": sent.replace("é".encode(), b"\\u00e9", 1),
        "a member taken out": sent.replace(b'"stream":true', b'"stream":true,"x":"y"', 1),
        "cut": sent[:-1],
    }


@pytest.mark.parametrize("what", sorted(damaged(*(edited("claude-code")[3], edited("claude-code")[2]))))
def test_fails_for_damage(what):
    fmt, body, patch, sent = edited("claude-code")
    broken = damaged(sent, patch)[what]
    assert broken != sent
    assert prove(fmt, body, broken).failure is not None


def test_pieces_around_markers_are_cut_at_lines_only():
    marker = '[12 lines: same as Bash ls from "total" #123456]'
    raw = json.dumps(f"a\\\n{marker}\nb {marker}\n{marker}")
    assert around_markers(raw) == ["a\\\\\\n", f"\\nb {json.dumps(marker)[1:-1]}\\n", ""]
    assert around_markers('"none"') == ["none"]
    assert around_markers('""') == [""]


def test_an_escaped_backslash_before_an_n_is_no_line_feed():
    marker = '[12 lines: same as Bash ls from "total" #123456]'
    raw = json.dumps(f"dir\\name\n{marker}")
    assert around_markers(raw) == ["dir\\\\name\\n", ""]
