"""The library calls, and what importing them costs; the page docs/library.md is run as it stands."""

import subprocess
import sys
import threading

import pytest

import tokenpak
from tests.core.contract import Words
from tests.core.readings import REPEATED, anthropic, responses
from tokenpak.core.body import canonical, read
from tokenpak.core.patch import Format, Policy
from tokenpak.sdk import library
from tokenpak.services.tokens import O200K, Estimate

LOW = Policy(floor_tokens=40)
TWICE, THRICE = anthropic(REPEATED, REPEATED), anthropic(REPEATED, REPEATED, REPEATED)
HEAVY = {"trio", "httpx", "httpcore", "hypercorn", "sqlmodel", "sqlalchemy", "zmq", "rich", "structlog", "cyclopts"}


@pytest.fixture(autouse=True)
def _counter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(library, "_counter", Words)


@pytest.mark.parametrize(("fmt", "body"), [("anthropic", TWICE), ("responses", responses(REPEATED, REPEATED))])
def test_a_body_and_back(fmt: str, body: bytes):
    patch = tokenpak.compress(body, fmt, policy=LOW)
    sent = tokenpak.apply(body, patch)
    assert len(patch.edits) == 1
    assert len(sent) < len(body)
    expanded = tokenpak.expand(sent, fmt)
    assert canonical(read(Format(fmt), expanded)) == canonical(read(Format(fmt), body))


def test_forms_keep_blocks_as_they_were_sent():
    literal = tokenpak.compress(TWICE, "anthropic", policy=Policy(level="off"))
    patch = tokenpak.compress(THRICE, "anthropic", literal.forms, LOW)
    assert len(literal.forms) == 2
    assert (len(patch.edits), len(patch.forms)) == (1, 1)
    assert len(tokenpak.compress(THRICE, "anthropic", policy=LOW).edits) == 2


def test_the_floor_is_the_products_unless_said_otherwise():
    assert tokenpak.compress(TWICE, "anthropic").edits == ()


def test_the_estimator_finds_them_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(library, "_counter", lambda: Estimate(O200K))
    patch = tokenpak.compress(TWICE, "anthropic", policy=LOW)
    assert (len(patch.edits), patch.counter) == (1, "estimate")


def test_a_patch_fits_its_own_body_alone():
    patch = tokenpak.compress(TWICE, "anthropic", policy=LOW)
    other = TWICE.replace(b"go", b"on")
    with pytest.raises(tokenpak.BadEdits, match="another body"):
        tokenpak.apply(other, patch)
    with pytest.raises(tokenpak.BadEdits):
        tokenpak.apply(b"{}", patch)
    nothing = tokenpak.compress(TWICE, "anthropic")
    assert tokenpak.apply(TWICE, nothing) is TWICE


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff", b"[]", b'{"messages":[],"messages":[]}'])
def test_a_body_never_raises(body: bytes):
    patch = tokenpak.compress(body, "anthropic")
    assert patch.edits == ()
    assert sum(patch.reasons.values()) == 1
    assert tokenpak.apply(body, patch) is body
    with pytest.raises(tokenpak.Unreadable):
        tokenpak.expand(body, "anthropic")


@pytest.mark.parametrize("call", [tokenpak.compress, tokenpak.expand])
def test_an_unknown_format_is_refused(call):
    with pytest.raises(ValueError, match="unknown format 'claude'; known: 'anthropic', 'openai', 'responses'"):
        call(b"{}", "claude")


def test_threads_take_turns(monkeypatch: pytest.MonkeyPatch):
    inside, most = [0], [0]

    class Watched(Words):
        def at_least(self, text: str) -> int:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.001)
            inside[0] -= 1
            return super().at_least(text)

    watched = Watched()
    monkeypatch.setattr(library, "_counter", lambda: watched)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(tokenpak.compress(TWICE, "anthropic", policy=LOW).edits)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, most) == ([1, 1, 1], [1])


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def test_the_import_is_light():
    assert not loaded_after("import tokenpak") & (HEAVY | {"msgspec", "pathlib", "tokenpak.sdk"})


def test_the_calls_bring_no_proxy_along():
    body = "{}"
    loaded = loaded_after(f"import tokenpak\ntokenpak.compress(b'{body}', 'anthropic')")
    assert not loaded & HEAVY
    assert "tokenpak.sdk.library" in loaded


def test_what_is_public_is_there_and_nothing_else():
    for name in tokenpak.__all__:
        assert getattr(tokenpak, name) is not None
    assert set(dir(tokenpak)) == set(tokenpak.__all__)
    with pytest.raises(AttributeError, match="no attribute 'compressor'"):
        tokenpak.compressor  # noqa: B018 - the look-up is the test
