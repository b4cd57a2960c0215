"""Who saved what, by worked examples and by properties that hold whatever a provider reports."""

import inspect
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core import ledger, savings
from tokenpak.core.cost import ModelPrices, input_cost
from tokenpak.core.ledger import ANTHROPIC, GEMINI, OPENAI, OPENAI_PAID, UNKNOWN, Used
from tokenpak.core.patch import Footprint, Trace
from tokenpak.core.savings import Bill, Billed, Founds, SavingLine, Scale, Setting
from tokenpak.core.usage import Usage

PRICES = ModelPrices(
    uncached=3000, cache_read=300, cache_write_5m=3750, cache_write_1h=6000, cache_write_other=3000, output=15_000
)
"""Three nano-dollars for an uncached token."""
RULES = (ANTHROPIC, OPENAI, OPENAI_PAID, GEMINI, UNKNOWN)
NONE = Founds(None, None, None)


def footprint(*blocks, head=0, marks=()):
    """(tokens as it came, saved) for each block; from the first edit on blocks leave under another hash."""
    traces, edited = [], False
    for index, (tokens, saved) in enumerate(blocks):
        edited = edited or bool(saved)
        chain = bytes([index]) * 16
        traces.append(Trace(chain, b"s" * 15 + bytes([index]) if edited else chain, tokens - saved, saved))
    return Footprint(tuple(traces), head, tuple(marks))


def lines(told, found=NONE, rules=ANTHROPIC, usage=None, scale=None, **setting):
    """The lines of a request whose worlds were expected to find these prefixes."""
    scale = scale or Scale(1.0, 1.0, 0.1)
    worlds = savings.worlds(told, Setting(**setting), scale)
    read = None if usage is None else usage.cache_read or 0
    bill = savings.bill(savings.seen(found, worlds, rules, read), worlds, rules)
    return savings.saving_lines(bill, worlds, rules, scale, Billed(usage, PRICES))


# By hand


def test_what_was_removed_is_priced_in_the_class_it_would_have_been_in():
    told = footprint((9000, 0), (1000, 400), (500, 0), marks=[(2, "5m")])
    (line,) = lines(told)
    spread = round(400 * 3.75 * (0.1 + savings.COUNTED))
    assert line == SavingLine("proxy", "compression", "estimate", 400, 1500, spread)  # it would have been written
    (read, _) = lines(told, Founds(1, 1, 1), usage=Usage(0, 9600, 500))
    assert read.nanos == 120  # and on the next turn it would have been read
    (plain,) = lines(footprint((9000, 0), (1000, 400)))
    assert plain.nanos == 1200  # without marks it is plain input


def test_tokens_removed_are_scaled_by_the_factor_and_the_rest_by_the_estimates_worth():
    told = footprint((9000, 0), (1000, 400))
    worlds = savings.worlds(told, Setting(), Scale(2.0, 1.5, 0.1))
    assert [prefix.tokens for prefix in worlds.sent.prefixes] == [18_000, 19_200]
    assert [prefix.tokens for prefix in worlds.original.prefixes] == [18_000, 19_800]
    assert lines(told, scale=Scale(2.0, 1.5, 0.1))[0].tokens == 600


def test_an_edit_of_ours_that_ended_an_entry_costs():
    told = footprint((9000, 0), (1000, 10), (500, 0), marks=[(2, "5m")])
    compression, hit = lines(told, Founds(2, 0, 0), usage=Usage(0, 9000, 1490))
    assert compression.tokens == 10
    assert compression.nanos == (10_500 * 300 - (9000 * 300 + 1490 * 3750)) // 1000 < 0
    assert (hit.cause, hit.tokens) == ("client", 9000)


def test_our_marks_cost_on_the_request_that_writes_and_save_on_the_next():
    told = footprint((9000, 0), (1000, 0))
    (first,) = lines(told, usage=Usage(0, 0, 10_000), ours=(1,))
    assert first == SavingLine("proxy", "cache_marks", "provider", 0, -7500, 0)
    (second,) = lines(told, Founds(None, None, 0), usage=Usage(0, 9000, 1000), ours=(1,))
    assert second == SavingLine("proxy", "cache_marks", "provider", 9000, 30_000 - 2700 - 3750, 0)


def test_of_a_hit_by_both_marks_the_client_keeps_what_its_own_would_have_read():
    told = footprint((5000, 0), (4000, 0), (1000, 0), marks=[(0, "5m")])
    usage = Usage(0, 9000, 1000)
    marks, hit = lines(told, Founds(0, 0, 1), usage=usage, ours=(2,))
    assert (marks.tokens, marks.basis) == (4000, "estimate")
    assert (hit.cause, hit.tokens, hit.basis) == ("client", 5000, "estimate")
    assert marks.spread_nanos == hit.spread_nanos == 0  # the ledger's bill of what was sent is the bill that came


def test_after_a_restart_a_read_by_our_marks_is_not_the_clients():
    told = footprint((9000, 0), (1000, 0))
    (line,) = lines(told, usage=Usage(0, 9000, 1000), ours=(1,))
    assert (line.mechanism, line.tokens) == ("cache_marks", 9000)
    own = footprint((5000, 0), (4000, 0), *[(10, 0)] * 21, (1000, 0), marks=[(0, "5m")])
    marks, hit = lines(own, usage=Usage(0, 9210, 1000), ours=(23,))
    assert (hit.tokens, marks.tokens) == (5000, 4210)


@pytest.mark.parametrize(
    ("rules", "marks", "cause"),
    [
        (ANTHROPIC, [(0, "5m")], "client"),
        (ANTHROPIC, [], "unclassified"),
        (OPENAI, [], "unclassified"),
        (OPENAI, [(0, "5m")], "unclassified"),  # it caches by itself, whatever marks say
        (UNKNOWN, [], "unclassified"),
    ],
)
def test_whose_hit_it_is(rules, marks, cause):
    (line,) = lines(footprint((9000, 0), (1000, 0), marks=marks), rules=rules, usage=Usage(1000, 9000))
    assert line == SavingLine(cause, "provider_cache", "provider", 9000, 24_300, 0)


def test_a_hit_is_the_providers_word_and_never_the_ledgers():
    told = footprint((9000, 0), (1000, 0), marks=[(1, "5m")])
    assert lines(told, Founds(0, 0, 0), usage=Usage(10_000, 0)) == ()
    assert lines(told, Founds(0, 0, 0)) == ()
    big = footprint((1100, 0), (200_000, 0), marks=[(1, "5m")])
    assert lines(big, Founds(0, 0, 0), usage=Usage(201_100, 0)) == ()  # however near to nothing what was expected is
    (line,) = lines(told, Founds(0, 0, 0), usage=Usage(0, 9010, 990))
    assert line.tokens == 9010


def test_a_mark_on_the_request_is_the_clients_and_its_blocks_own_mark_goes_before():
    told = footprint((9000, 0), (1000, 0))
    assert savings.worlds(told, Setting(mark="1h"), Scale()).original.marks == {1: "1h"}
    marked = footprint((9000, 0), (1000, 0), marks=[(1, "5m")])
    assert savings.worlds(marked, Setting(mark="1h", ours=(0, 1)), Scale()).sent.marks == {0: "5m", 1: "5m"}
    assert savings.worlds(footprint(), Setting(mark="1h"), Scale()).original.marks == {}


def test_a_change_of_setting_parts_the_history_only():
    told = footprint((9000, 0), (1000, 0), head=1)
    one, two = (
        savings.worlds(told, Setting(b"a" * 16, history), Scale()).sent.prefixes for history in (b"", b"x" * 16)
    )
    assert one[0].digest == two[0].digest
    assert one[1].digest != two[1].digest


def test_a_class_without_a_price_has_no_nanos():
    told = footprint((9000, 0), (1000, 400), marks=[(1, "5m")])
    worlds = savings.worlds(told, Setting(), Scale())
    bill = savings.bill(NONE, worlds, ANTHROPIC)
    for prices in (None, ModelPrices(uncached=3000, output=1)):
        (line,) = savings.saving_lines(bill, worlds, ANTHROPIC, Scale(), Billed(None, prices))
        assert (line.tokens, line.nanos, line.spread_nanos) == (400, None, None)


def test_a_step_of_the_provider_is_in_the_spread():
    told = footprint((9000, 0), (1000, 400))
    (paid, _) = lines(told, Founds(0, 0, 0), rules=OPENAI, usage=Usage(632, 8968))
    assert paid.spread_nanos == round(paid.nanos * (0.1 + savings.COUNTED) + 128 * 2.7)


def test_a_reading_that_is_not_what_was_expected_lies_at_the_nearest_block():
    told = footprint((9000, 0), (1000, 0), (1000, 0))
    worlds = savings.worlds(told, Setting(), Scale())
    read = {tokens: savings.seen(NONE, worlds, OPENAI, tokens).sent for tokens in (0, 1024, 8000, 9700, 10_900, 99_999)}
    assert read == {0: None, 1024: None, 8000: 0, 9700: 1, 10_900: 2, 99_999: 2}


def test_nothing_is_not_near_to_something():
    told = footprint((1100, 0), (200_000, 0), marks=[(1, "5m")])
    worlds = savings.worlds(told, Setting(), Scale())
    assert savings.seen(Founds(0, 0, 0), worlds, ANTHROPIC, 0) == NONE
    assert savings.seen(NONE, worlds, ANTHROPIC, 1100) == Founds(0, 0, 0)
    assert savings.seen(Founds(0, 0, 0), worlds, ANTHROPIC, 2000) == Founds(0, 0, 0)


def test_a_hit_on_a_body_nobody_read():
    assert savings.hit_alone(Billed(Usage(10, 90), PRICES)) == SavingLine(
        "unclassified", "provider_cache", "provider", 90, 243, 0
    )
    assert savings.hit_alone(Billed(Usage(10, 90, 100), PRICES)).nanos == 243 - 75  # what was written cost more
    assert savings.hit_alone(Billed(Usage(10, 90), None)).nanos is None
    for usage in (None, Usage(10), Usage(10, 0)):
        assert savings.hit_alone(Billed(usage, PRICES)) is None


# Properties

COUNT = st.none() | st.integers(0, 300_000)
USAGES = st.none() | st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
SCALES = st.builds(Scale, st.floats(0.3, 3), st.floats(0.5, 2), st.floats(0.02, 0.5))
LIVES = st.sampled_from(["5m", "1h"])


@st.composite
def requests(draw, most_saved=1.0):
    """A footprint, positions of our marks, and what each world was expected to find."""
    sizes = draw(st.lists(st.integers(0, 30_000), min_size=1, max_size=12))
    blocks = [(size, int(size * draw(st.floats(0, most_saved)))) for size in sizes]
    places = st.integers(0, len(blocks) - 1)
    marks = draw(st.dictionaries(places, LIVES, max_size=3))
    told = footprint(*blocks, head=draw(st.integers(0, len(blocks))), marks=sorted(marks.items()))
    ours = tuple(draw(st.sets(places, max_size=2))) if most_saved else ()
    sent = draw(st.none() | places)
    other = st.none() | places
    return told, ours, Founds(draw(other), draw(other), sent) if most_saved else Founds(sent, sent, sent)


@given(requests(), st.sampled_from(RULES), SCALES, USAGES)
def test_every_worlds_classes_add_up_to_its_tokens_and_no_bill_is_below_nothing(request_, rules, scale, usage):
    told, ours, found = request_
    worlds = savings.worlds(told, Setting(ours=ours), scale)
    read = None if usage is None else usage.cache_read
    for used, world in zip(savings.bill(savings.seen(found, worlds, rules, read), worlds, rules), worlds, strict=True):
        assert used.total == world.prefixes[-1].tokens
        assert min(msgspec.structs.astuple(used)) >= 0
        assert savings.nanos_of(used, PRICES) >= 0
    assert worlds.original.prefixes[-1].tokens >= worlds.sent.prefixes[-1].tokens


@given(requests(), st.integers(1, 10**6))
def test_what_was_sent_comes_to_the_providers_own_total(request_, total):
    told, ours, _ = request_
    size = sum(block.tokens for block in told.blocks)
    if size:
        worlds = savings.worlds(told, Setting(ours=ours), Scale(total / size))
        assert worlds.sent.prefixes[-1].tokens == worlds.compressed.prefixes[-1].tokens == total


@given(requests(most_saved=0), st.sampled_from(RULES), SCALES, USAGES)
def test_an_untouched_request_has_no_line_of_ours_whatever_the_provider_reports(request_, rules, scale, usage):
    told, ours, found = request_
    assert all(line.cause != "proxy" for line in lines(told, found, rules, usage, scale, ours=ours))


@given(requests(), st.sampled_from(RULES), SCALES, USAGES)
def test_a_line_has_one_cause_and_one_mechanism_and_there_is_one_of_each(request_, rules, scale, usage):
    told, ours, found = request_
    got = lines(told, found, rules, usage, scale, ours=ours)
    assert len({(line.cause, line.mechanism) for line in got}) == len({line.mechanism for line in got}) == len(got)
    assert all((line.cause == "proxy") is (line.mechanism in ("compression", "cache_marks")) for line in got)
    assert all(usage and usage.cache_read for line in got if line.mechanism == "provider_cache")


@given(requests(), st.sampled_from(RULES), st.integers(0, 400_000))
def test_a_reading_that_was_not_expected_moves_all_worlds_alike(request_, rules, read):
    told, _, found = request_
    worlds = savings.worlds(told, Setting(), Scale())
    alike = Founds(found.sent, found.sent, found.sent)
    assert len(set(savings.seen(alike, worlds, rules, read))) == 1
    apart = savings.seen(found, worlds, rules, read)
    for was, now in zip(found, apart, strict=True):
        assert now == (apart.sent if was == found.sent else was)


@given(requests(), st.sampled_from(RULES), SCALES, USAGES)
def test_the_difference_of_the_worlds_is_the_lines(request_, rules, scale, usage):
    told, ours, found = request_
    worlds = savings.worlds(told, Setting(ours=ours), scale)
    read = None if usage is None else usage.cache_read or 0
    bill = savings.bill(savings.seen(found, worlds, rules, read), worlds, rules)
    for line in savings.saving_lines(bill, worlds, rules, scale, Billed(usage, PRICES)):
        came = bill.sent if usage is None else savings.reported(usage)
        ends = {"compression": (bill.original, bill.compressed), "cache_marks": (bill.compressed, came)}
        if line.mechanism in ends:
            before, after = ends[line.mechanism]
            assert line.nanos == savings.nanos_of(before, PRICES) - savings.nanos_of(after, PRICES)


def test_nothing_here_gives_a_sum_over_lines():
    numbers = (int, float, int | None, float | None)
    for name, found in inspect.getmembers(savings, inspect.isfunction):
        if found.__module__ != savings.__name__:
            continue
        told = get_type_hints(found)
        of_lines = any("SavingLine" in str(kind) for argument, kind in told.items() if argument != "return")
        assert not (of_lines and told["return"] in numbers), name
    assert not any("total" in name or "sum" in name for name in (*SavingLine.__struct_fields__, *Bill._fields))


@given(st.builds(Used, *[st.integers(0, 10**6)] * 5))
def test_one_arithmetic_prices_worlds_and_replies(used):
    usage = Usage(used.uncached, used.read, used.write_5m, used.write_1h, used.write_other)
    assert savings.nanos_of(used, PRICES) == input_cost(usage, PRICES)
    assert savings.reported(usage) == used
    assert savings.reported(Usage()) == Used()
    relative = ledger.bill(used, ledger.relative(PRICES))
    assert savings.nanos_of(used, PRICES) == pytest.approx(relative * 3, abs=1)
