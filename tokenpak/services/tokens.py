"""Token counts: the vocabulary, found on this machine by its hash, and an estimator for machines that have none.

tiktoken fetches its vocabulary over the network when it is first used; a proxy must never depend on that, so the file is
looked for where tiktoken or an installed package left it, believed only by its SHA-256, and never downloaded here.
Without it counts are bounds that hold for every vocabulary of this kind: a text has no fewer tokens than the pieces the
encoding's pattern cuts it into, and no more than its UTF-8 bytes. A gate that takes the lower bound of what is removed and
the upper bound of what replaces it then never overestimates a saving. The other difficulty is time: tiktoken is
superlinear on long odd runs, so long texts are counted in pieces, and counts are remembered.
"""

import base64
import hashlib
import importlib.util
import os
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tokenpak.config.paths import default_state_dir, paths_for

ESTIMATE: Final = "estimate"

PIECE_CHARS = 20_000
"""Longest text given to tiktoken at once."""

REMEMBERED = 32_768
"""Counts kept; the oldest go first. About 150 bytes each."""

SHORT_CHARS = 32
"""A text up to here is counted faster than it is looked up."""

BYTES_PER_TOKEN = 4
"""Of English and code, roughly; only for an estimate that no gate rests on."""


class Vocabulary(msgspec.Struct, frozen=True):
    """An encoding's merges, as tiktoken writes them to a file, and the pattern that cuts a text into pieces first."""

    name: str
    size: int
    sha256: str
    pattern: str


O200K: Final = Vocabulary(
    name="o200k_base",
    size=3_613_922,
    sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    # As tiktoken defines it; a test compares the two.
    pattern="|".join(  # noqa: FLY002 - one line an alternative
        (
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ),
)

_LOOK_AHEAD = r"|\s+(?!\S)"

_SHIPPED = (
    ("litellm", "litellm_core_utils/tokenizers"),
    ("llama_index", "core/_static/tiktoken_cache"),
)
"""Packages that carry vocabularies, and where. They are located, never imported."""


class Counter(ABC):
    """Counts tokens. name: of the encoding, or "estimate". source: the file it was built from."""

    name: str
    source: Path | None = None

    @abstractmethod
    def __call__(self, text: str) -> int:
        """The most likely count."""

    @abstractmethod
    def at_least(self, text: str) -> int:
        """A lower bound."""

    @abstractmethod
    def at_most(self, text: str) -> int:
        """An upper bound."""

    @abstractmethod
    def statistics(self) -> dict[str, int]:
        """What is remembered, and what it was good for."""


def search_path(vocabulary: Path | None = None) -> tuple[Path, ...]:
    """The directories a vocabulary may lie in: the instance's own, tiktoken's caches, packages that carry it."""
    own = vocabulary or paths_for(default_state_dir()).vocabulary
    caches = (os.environ.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    named = tuple(Path(cache) for cache in caches if cache)
    return (own, *named, Path(tempfile.gettempdir()) / "data-gym-cache", *_shipped())


def find_vocabulary(search: Sequence[Path], vocabulary: Vocabulary = O200K) -> Path | None:
    """The first file in the directories, under whatever name, that is the vocabulary by size and hash."""
    for directory in search:
        for path in _files_of_size(directory, vocabulary.size):
            if _read_verified(path, vocabulary) is not None:
                return path
    return None


def load_counter(search: Sequence[Path], vocabulary: Vocabulary = O200K) -> Counter:
    """An exact counter if the vocabulary is in one of the directories, else the estimator. Never uses the network."""
    path = find_vocabulary(search, vocabulary)
    data = _read_verified(path, vocabulary) if path else None
    return Exact(vocabulary, data, path) if path and data else Estimate(vocabulary)


def _shipped() -> Iterator[Path]:
    for package, inside in _SHIPPED:
        try:
            spec = importlib.util.find_spec(package)
        except ValueError:  # a module of that name that was put together by hand has no spec
            continue
        for root in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(root) / inside


def _files_of_size(directory: Path, size: int) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if _has_size(path, size))
    except OSError:  # not there, or not for us to read: then it holds nothing for us
        return []


def _has_size(path: Path, size: int) -> bool:
    try:
        found = path.stat()
    except OSError:  # a link to nothing, or gone since it was listed
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _read_verified(path: Path, vocabulary: Vocabulary) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:  # gone or unreadable: as good as not found
        return None
    return data if hashlib.sha256(data).hexdigest() == vocabulary.sha256 else None


def _grouped(pattern: str) -> str:
    """The pattern with all alternatives before its look-ahead in one group.

    It matches the same, and tiktoken's matcher tries such a group at once, not one by one: a sixth less of its time.
    """
    plain, ahead, rest = pattern.partition(_LOOK_AHEAD)
    return f"(?:{plain}){ahead}{rest}"


class Exact(Counter):
    """Counts with tiktoken; all three counts are the same."""

    def __init__(self, vocabulary: Vocabulary, data: bytes, source: Path) -> None:
        import tiktoken  # 20 ms and a Rust library, needed where tokens are counted only

        lines = (line.split() for line in data.splitlines() if line)
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        self.name, self.source = vocabulary.name, source
        self._encoding = tiktoken.Encoding(
            vocabulary.name,
            pat_str=_grouped(vocabulary.pattern),
            mergeable_ranks=ranks,
            special_tokens={},
        )
        ranks.clear()  # the encoder has its own copy; ours is 30 MB that only its pickling would read
        self._counts: dict[bytes, int] = {}
        self._hits = 0

    def __call__(self, text: str) -> int:
        """The number of tokens. Texts beyond `PIECE_CHARS` are cut at line ends, where a cut costs a token at most."""
        if len(text) <= SHORT_CHARS:
            return self._count(text)
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._counts.get(key)
        if known is not None:
            self._hits += 1
            return known
        if len(self._counts) >= REMEMBERED:
            del self._counts[next(iter(self._counts))]
        counted = self._counts[key] = sum(self._count(piece) for piece in pieces(text))
        return counted

    at_least = __call__
    at_most = __call__

    def statistics(self) -> dict[str, int]:
        """What is remembered, and how often it was asked for again."""
        return {"counts": len(self._counts), "hits": self._hits}

    def _count(self, text: str) -> int:
        return len(self._encoding.encode_ordinary(text))


class Estimate(Counter):
    """Bounds that hold for every byte-level vocabulary behind the encoding's pattern."""

    name = ESTIMATE

    def __init__(self, vocabulary: Vocabulary) -> None:
        import regex  # type: ignore[import-untyped]  # knows \p{L}; tiktoken stands on it

        self._find = regex.compile(vocabulary.pattern).finditer

    def __call__(self, text: str) -> int:
        """A guess between the bounds."""
        return max(self.at_least(text), self.at_most(text) // BYTES_PER_TOKEN)

    def at_least(self, text: str) -> int:
        """The pieces of the text: no token spans two of them."""
        return sum(1 for _ in self._find(text))

    def at_most(self, text: str) -> int:
        """The bytes of the text: no token is shorter than one."""
        return len(text.encode("utf-8", "surrogatepass"))

    def statistics(self) -> dict[str, int]:
        """Nothing is remembered."""
        return {}


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `PIECE_CHARS`, cut behind the last line end in each, if it has one."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        end = text.rfind("\n", start, start + PIECE_CHARS) + 1 or start + PIECE_CHARS
        yield text[start:end]
        start = end
    yield text[start:]
