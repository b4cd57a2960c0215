"""Hashes that name blocks and chains."""

from hypothesis import given
from hypothesis import strategies as st

from tests.core.writing import written
from tokenpak.core.body import blocks_of, canonical, chains_of, read
from tokenpak.core.body.model import chain_after, digest_of, first_chain, shape_of
from tokenpak.core.patch import CHAIN_BYTES, Format

PARTS = st.lists(st.text(alphabet="a,;:1\ud800é", max_size=4) | st.binary(max_size=4), max_size=4)


@given(PARTS, PARTS)
def test_different_parts_never_hash_alike(one: list[str | bytes], two: list[str | bytes]):
    raw = [[p.encode("utf-8", "surrogatepass") if isinstance(p, str) else p for p in parts] for parts in (one, two)]
    assert (shape_of(*one) == shape_of(*two)) == (raw[0] == raw[1])


def test_lengths():
    assert len(shape_of("x")) == len(digest_of(b"x", ["y"])) == len(chain_after(b"", b"")) == CHAIN_BYTES


def test_a_chain_names_the_format_and_everything_before():
    assert len({first_chain(fmt) for fmt in Format}) == len(Format)
    messages = [{"role": "user", "content": text} for text in ("a", "b", "a")]
    view = read(Format.ANTHROPIC, written({"messages": messages}))
    one, two, three = chains_of(view)
    assert len({one, two, three}) == 3
    assert canonical(view)[0] == canonical(view)[2]
    assert chains_of(read(Format.ANTHROPIC, written({"messages": messages[:2]}))) == [one, two]
    other = read(Format.ANTHROPIC, written({"system": "s", "messages": messages}))
    assert not set(chains_of(other)) & {one, two, three}
    assert [block.digest for block in blocks_of(view)] == list(canonical(view))
