"""What a secret looks like, and what identifies a person: one detector each, by name, over one decoded text.

The difficulty is false alarms: an agent's traffic is source code, hashes and examples of keys. So a detector asks for
what only the real thing has: a provider's own prefix and length, a checksum, the frame of a key file. The one that goes
by the name of a variable also wants a value that looks drawn at random. What documentation prints as an example is none.

A text is looked through for the words with which matches begin; only from there do patterns work.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from math import log2
from typing import Final, Literal, NamedTuple

Class = Literal["secrets", "pii"]
"""secrets: what opens something. pii: what identifies a person (or a card, or an account)."""


class Found(NamedTuple):
    """A finding: half-open range of characters, the detector's name. Never the text itself."""

    start: int
    end: int
    kind: str


class Detector(NamedTuple):
    """words: every match of `pattern` begins with one of them; none: it may be anywhere. cased: the words are to be
    taken as they are written. sign: a character that JSON never escapes and that every match has in it or right behind.
    The group `secret`, or else the whole match, is the finding, if it is `real`.
    """

    name: str
    of: Class
    words: tuple[str, ...]
    pattern: str
    real: Callable[[str], bool]
    cased: bool = True
    sign: bytes = b""


RANDOM_BITS: Final = 3.3
"""Least entropy, in bits a character, of a value that a variable's name makes a secret."""
LONGEST_RUN: Final = 13
"""Letters and digits in a row that it must have somewhere: a UUID has 12, names of files and packages have words."""

_EXAMPLE = re.compile(
    r"example|your[_-]|placeholder|dummy|changeme|redacted|x{5}|0{6}|1{6}|a{6}|\*{3}|\.{3}|<|12345|abcdef",
    re.IGNORECASE,
)
_UPPER, _LOWER, _DIGIT = re.compile(r"[A-Z]"), re.compile(r"[a-z]"), re.compile(r"\d")
_RUN = re.compile(r"[A-Za-z0-9]+")
_HEX = re.compile(r"[0-9a-f]{32,128}|[0-9A-F]{32,128}")


def entropy(text: str) -> float:
    """Shannon's, in bits a character."""
    total = len(text)
    return sum(-n / total * log2(n / total) for n in Counter(text).values()) if total else 0.0


def is_no_example(text: str) -> bool:
    """False for what stands in documentation in a secret's place."""
    return _EXAMPLE.search(text) is None


def is_random(text: str) -> bool:
    """True for a value that looks drawn at random: all kinds of characters or hexadecimal, in one long run."""
    if not is_no_example(text) or entropy(text) < RANDOM_BITS:
        return False
    longest = max(_RUN.findall(text), key=len, default="")
    if len(longest) < LONGEST_RUN:
        return False
    return bool(_HEX.fullmatch(text)) or (
        len(_DIGIT.findall(longest)) > 1 and bool(_UPPER.search(longest)) and bool(_LOWER.search(longest))
    )


def is_password(text: str) -> bool:
    """True for the password of an address that is neither an example nor one of the words everybody writes."""
    return is_no_example(text) and bool(_DIGIT.search(text)) and entropy(text) >= RANDOM_BITS - 0.5


def is_key_file(text: str) -> bool:
    """True for a private key with something in it."""
    return re.search(r"[A-Za-z0-9+/=]{40}", text) is not None and "..." not in text


def has_luhn_digit(text: str) -> bool:
    """ISO/IEC 7812: the last digit is the check digit of the others."""
    digits = [int(char) for char in text if char.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 4:
        return False
    return sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))) % 10 == 0


def has_iban_check(text: str) -> bool:
    """ISO 13616: the account number behind the country and the check digits gives 1 modulo 97."""
    bare = text.replace(" ", "")
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1


def is_mailbox(text: str) -> bool:
    """False for addresses that are nobody's: of a service, a reserved domain, a package at its version."""
    user, _, domain = text.lower().rpartition("@")
    if user in {"git", "noreply", "no-reply", "user", "users.noreply"} or domain.endswith(_FILES):
        return False
    return not domain.startswith(("example.", "test.")) and not domain.endswith((".example", ".test", ".local"))


def is_number(text: str) -> bool:
    """E.164: a country's code and 8 to 15 digits in all."""
    return 8 <= sum(char.isdigit() for char in text) <= 15


_FILES = (".py", ".js", ".ts", ".md", ".json", ".png", ".svg", ".css", ".html", ".service", ".noreply.github.com")


def _known(name: str, words: tuple[str, ...], pattern: str, real: Callable[[str], bool] = is_no_example) -> Detector:
    """A secret with a beginning of its own, which nothing that it could be a part of stands around."""
    return Detector(name, "secrets", words, rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", real)


_NAMES = ("password", "passwd", "secret", "token", "api_key", "apikey", "api-key", "access_key", "private_key")
"""How the name of a variable ends that holds a secret."""

_KEY = r"(?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
_WHOLE_KEY = rf"-----BEGIN {_KEY}(?:(?!-----)[\s\S]){{40,16000}}-----END {_KEY}"
_CUT_KEY = (
    rf"-----BEGIN {_KEY}(?:[^A-Za-z0-9+/=]{{0,12}}(?:\d{{1,6}}[^A-Za-z0-9+/=]{{1,4}})?[A-Za-z0-9+/=]{{30,80}}){{1,400}}"
)
"""Its lines may carry numbers, or be one line of JSON; where its end was cut off, what looks like it is taken."""

DETECTORS: Final[tuple[Detector, ...]] = (
    Detector("private-key", "secrets", ("-----BEGIN ",), f"{_WHOLE_KEY}|{_CUT_KEY}", is_key_file),
    _known("anthropic-key", ("sk-ant-",), r"sk-ant-[A-Za-z0-9_-]{24,200}"),
    _known("openrouter-key", ("sk-or-v1-",), r"sk-or-v1-[0-9a-f]{64}"),
    _known("openai-key", ("sk-",), r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{24,250}|sk-[A-Za-z0-9]{48}"),
    _known("google-key", ("AIza",), r"AIza[A-Za-z0-9_-]{35}"),
    _known("aws-key", ("AKIA", "ASIA"), r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    _known("github-token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,251}"),
    _known("github-token", ("github_pat_",), r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _known("gitlab-token", ("glpat-",), r"glpat-[A-Za-z0-9_-]{20,64}"),
    _known(
        "slack-token",
        ("xox", "xapp-"),
        r"xox[abeoprs]-(?:\d{1,13}-){1,3}[A-Za-z0-9-]{10,200}|xapp-\d-[A-Z0-9]{8,16}-\d{8,16}-[a-f0-9]{32,128}",
    ),
    _known(
        "slack-webhook",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,28}",
    ),
    _known("stripe-key", ("rk_live_", "sk_live_"), r"[rs]k_live_[A-Za-z0-9]{20,250}"),
    _known("stripe-key", ("whsec_",), r"whsec_[A-Za-z0-9+/=]{32,64}"),
    _known("npm-token", ("npm_",), r"npm_[A-Za-z0-9]{36}"),
    _known("pypi-token", ("pypi-",), r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}"),
    _known("huggingface-token", ("hf_",), r"hf_[A-Za-z]{34}"),
    _known("jwt", ("eyJ",), r"eyJ[A-Za-z0-9_-]{14,4000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{20,2000}"),
    Detector(
        "url-password",
        "secrets",
        ("://",),
        r"://[^\s:/@\"'\\<>{}$()]{1,64}:(?P<secret>[^\s:/@\"'\\<>{}$()]{10,200})@",
        is_password,
        sign=b"@",
    ),
    Detector(
        "assigned-secret",
        "secrets",
        _NAMES,
        r"(?i:password|passwd|secret|token|api[_-]?key|access_key|private_key)[\"'`\]\\]{0,4}\s{0,3}(?:=>|:=|=|:)\s{0,3}"
        r"(?:[\"'`\\]{0,3})(?P<secret>[A-Za-z0-9_/+~-]{20,200}={0,2})(?![A-Za-z0-9_/+~.(\[-])",
        is_random,
        cased=False,
    ),
    Detector(
        "email",
        "pii",
        (),
        r"(?<![\w.%+@/:-])[A-Za-z0-9][\w.%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,18}(?![\w@-])",
        is_mailbox,
        sign=b"@",
    ),
    Detector(
        "phone",
        "pii",
        ("+",),
        r"\+(?<![\w+.]\+)[1-9]\d{0,2}(?:[ .-]?\(?\d{2,4}\)?){2,5}(?![\w.+])",
        is_number,
        sign=b"+",
    ),
    Detector(
        "card",
        "pii",
        (),
        r"(?<![\w.-])(?:3[47]|4\d|5[1-5]|2[2-7]|6[05])\d{2}(?:[ -]?\d{3,6}){2,4}(?![\w.-])",
        has_luhn_digit,
    ),
    Detector(
        "iban",
        "pii",
        (),
        r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])",
        has_iban_check,
    ),
)
"""In order of precedence: where two findings overlap, the earlier in the text stands, and of those the earlier here."""

_RAW = {each.words: tuple(word.partition("/")[0].encode() for word in each.words) for each in DETECTORS}

NAMES: Final[dict[str, Class]] = {detector.name: detector.of for detector in DETECTORS}


def possible(raw: bytes, kinds: Collection[str]) -> tuple[Detector, ...]:
    """Those of the detectors named that could find something in the strings of a JSON text. Most can be ruled out, and one
    look through the whole is quicker than one through each string. A slash may be written with a backslash before it.
    """
    lower = raw.lower()
    return tuple(
        detector
        for detector in DETECTORS
        if detector.name in kinds
        and detector.sign in raw
        and _begins_in(raw if detector.cased else lower, _RAW[detector.words])
    )


def _begins_in(raw: bytes, words: tuple[bytes, ...]) -> bool:
    for word in words:  # any() would take longer to begin than most of these look-ups take
        if word in raw:
            return True
    return not words


def find(text: str, detectors: Sequence[Detector] = DETECTORS) -> list[Found]:
    """The findings of these detectors, in order; they do not overlap."""
    hits: list[tuple[int, int, Found]] = []
    lower = _lower(text)
    for rank, detector in enumerate(detectors):
        hits += ((found.start, rank, found) for found in _found(detector, text, text if detector.cased else lower))
    out: list[Found] = []
    for _, _, found in sorted(hits):
        if not out or found.start >= out[-1].end:
            out.append(found)
    return out


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)  # when first needed: every process of ours reads the settings, and few search anything


def _lower(text: str) -> str:
    """In lower case, unless a letter would become two: places in the one must be the places in the other."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text


def _found(detector: Detector, text: str, searched: str) -> Iterator[Found]:
    pattern = _compiled(detector.pattern)
    group = "secret" if "secret" in pattern.groupindex else 0
    for match in _matches(detector, pattern, text, searched):
        if detector.real(match[group]):
            yield Found(match.start(group), match.end(group), detector.name)


def _matches(detector: Detector, pattern: re.Pattern[str], text: str, searched: str) -> Iterator[re.Match[str]]:
    """Matches, tried where a word stands: far quicker than to search for the pattern."""
    if not detector.words:
        yield from pattern.finditer(text)
    for word in detector.words:
        at = searched.find(word)
        while at >= 0:
            match = pattern.match(text, at)
            if match:
                yield match
            at = searched.find(word, at + len(word))
