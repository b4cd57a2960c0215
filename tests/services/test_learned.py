"""What replies teach of a model: the worth of its tokens, its spread, and when it is no longer what was learned."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import agent_loop
from tests.services import accounting
from tests.services.accounting import Clock
from tokenpak.core.ledger import Used
from tokenpak.core.patch import Footprint, Trace
from tokenpak.core.savings import Scale
from tokenpak.core.usage import Usage
from tokenpak.services import learned as module
from tokenpak.services.accounts import Accounts
from tokenpak.services.learned import Learned
from tokenpak.services.learned_file import LearnedFile

MODEL = "claude-sonnet-4-5"


def told(size=10_000, saved=0, counted=None, family=b"f", model=MODEL):
    footprint = Footprint((Trace(b"c", b"c", size - 100, 0), Trace(b"d", b"e", 100, saved)))
    return SimpleNamespace(
        provider="anthropic", outline=SimpleNamespace(model=model, family=family), footprint=footprint, counted=counted
    )


class Lab:
    def __init__(self):
        self.clock = Clock()
        self.learned = Learned(self.clock)

    def reply(self, total, read=None, expected=0, **request):
        """One reply with so many input tokens; whether new edits are allowed after it."""
        asked = told(**request)
        usage = Usage(total - (read or 0), read)
        lesson = self.learned.taught(asked, usage)
        self.learned.compare(asked, Used(total - expected, expected), usage, lesson)
        return self.learned.allows(MODEL)

    @property
    def drift(self):
        return self.learned.statistics()[f"anthropic/{MODEL}"]["drift"]


@pytest.fixture
def lab():
    return Lab()


def test_nothing_is_known_of_a_model_at_first(lab):
    assert lab.learned.scale("anthropic", MODEL) == Scale(1.0, 1.0, module.UNLEARNED)
    assert lab.learned.allows(MODEL)
    assert lab.learned.statistics() == {}


def test_what_was_sent_comes_to_the_providers_total():
    learned = Learned(Clock())
    lesson = learned.taught(told(10_000, saved=500), Usage(1000, 8000, 2000, 1000, 700))
    assert lesson.scale.token == 1.27
    assert lesson.scale.factor == 1.0  # of tokens that were counted, nothing is known
    assert learned.taught(told(), None).scale.token == 1.27
    assert learned.taught(told(), Usage()).scale.token == 1.27


def test_the_factor_is_of_what_was_counted_less_what_was_saved():
    learned = Learned(Clock())
    for total in (12_000, 13_000, 12_500, 12_500):
        scale = learned.taught(told(saved=500, counted=10_500), Usage(total)).scale
    assert scale.factor == pytest.approx(1.25)
    assert scale.spread == pytest.approx(0.0408 / 1.25, rel=0.01)
    assert learned.taught(told(saved=500, counted=400), Usage(9)).scale.factor == scale.factor  # nothing to divide by


def test_a_spread_is_never_too_good_to_be_true(lab):
    for samples in range(1, 6):
        lab.reply(12_700, counted=10_000)
        spread = lab.learned.scale("anthropic", MODEL).spread
        assert spread == (module.UNLEARNED if samples < module.ENOUGH else module.LEAST_SPREAD)


def test_a_factor_follows_its_model(lab):
    for _ in range(40):
        lab.reply(12_700, counted=10_000)
    for number in range(40):
        lab.reply(17_000, counted=10_000, family=b"%d" % number)
    assert lab.learned.scale("anthropic", MODEL).factor == pytest.approx(1.7, rel=0.03)


@given(st.lists(st.floats(0.5, 2), min_size=1, max_size=60))
def test_mean_and_spread_stay_within_what_was_seen(factors):
    learned = Learned(Clock())
    for factor in factors:
        scale = learned.taught(told(counted=10_000), Usage(round(10_000 * factor))).scale
    assert min(factors) - 0.001 <= scale.factor <= max(factors) + 0.001
    assert 0 < scale.spread < 2


# Drift


def test_a_provider_that_reads_nothing_is_noticed_within_five_replies(lab):
    for _ in range(6):
        assert lab.reply(10_000, 9000, 9000)
    assert [lab.reply(10_000, 0, 9000) for _ in range(5)].index(False) < 5


def test_at_a_models_first_replies_too(lab):
    assert [lab.reply(10_000, 0, 9000) for _ in range(5)].index(False) < 5


def test_one_eviction_is_no_drift(lab):
    for _ in range(20):
        assert lab.reply(10_000, 0, 10_000)
        for _ in range(6):
            assert lab.reply(10_000, 9000, 9000)


def test_it_recovers_when_it_is_calm(lab):
    for _ in range(5):
        lab.reply(10_000, 0, 9000)
    assert [lab.reply(10_000, 9000, 9000) for _ in range(12)].index(True) > 2
    assert lab.learned.allows(MODEL)


def test_a_jump_of_the_token_factor_is_drift(lab):
    for size in range(10_000, 11_000, 100):
        assert lab.reply(round(1.27 * size), 0, 0, size=size)
    halted = [lab.reply(round(1.27 * 1.25 * size), 0, 0, size=size) for size in range(11_000, 11_500, 100)]
    assert False in halted
    later = [lab.reply(round(1.27 * 1.25 * size), 0, 0, size=size) for size in range(11_500, 13_500, 100)]
    assert later[-1]  # by then that is what its tokens are worth


def test_a_jump_in_what_was_counted_is_drift_in_new_conversations_too(lab):
    for number in range(8):
        assert lab.reply(12_700, counted=10_000, family=b"%d" % number)
    assert False in [lab.reply(16_500, counted=10_000, family=b"x%d" % number) for number in range(5)]


def test_conversations_of_another_kind_are_no_drift(lab):
    for number in range(40):
        assert lab.reply(20_000 if number % 2 else 9000, family=b"%d" % (number % 2))
    assert lab.drift == 0


def test_a_conversation_that_grows_fast_may_change_its_worth(lab):
    assert all(lab.reply(round(size * worth), size=size) for size, worth in ((9000, 1.0), (30_000, 1.6), (60_000, 1.0)))
    assert lab.drift == 0


def test_a_dense_tail_behind_a_prefix_that_is_worth_what_it_was_is_no_drift(lab):
    total, size = 10_000, 10_000
    for _ in range(12):
        assert lab.reply(total * 2, total, total, size=size)
        total, size = total * 2, round(size * 1.2)
    assert lab.drift == 0


def test_more_read_than_expected_is_no_harm_and_silence_about_a_cache_says_nothing(lab):
    for _ in range(9):
        assert lab.reply(10_000, 9000, 0)
        assert lab.reply(10_000, None, 9000)
    assert lab.drift == 0


def test_a_model_drifts_for_itself(lab):
    for _ in range(5):
        lab.reply(10_000, 0, 9000)
    assert not lab.learned.allows(MODEL)
    assert lab.learned.allows("claude-opus-5")
    assert lab.learned.statistics()[f"anthropic/{MODEL}"]["halted"]


# Samples


def test_whole_requests_are_counted_at_first_and_then_now_and_then(lab):
    assert not lab.learned.wants(MODEL, 9000)  # a model that was never heard of
    lab.reply(12_700)
    for _ in range(module.SAMPLES):
        assert lab.learned.wants(MODEL, 9000)
        assert not lab.learned.wants(MODEL, 9000)
        lab.reply(12_700, counted=10_000)
        lab.clock.now += module.APART_S
    assert not lab.learned.wants(MODEL, 9000)
    lab.clock.now += module.SAMPLE_S
    assert not lab.learned.wants(MODEL, module.LARGEST_SAMPLE + 1)
    assert lab.learned.wants(MODEL, module.LARGEST_SAMPLE)
    assert not lab.learned.wants(MODEL, 9000)


def test_what_is_remembered_has_a_bound(lab):
    for number in range(module.MODELS + 50):
        lab.learned.taught(told(model=f"m{number}", family=b"%d" % number), Usage(9))
    assert len(lab.learned.statistics()) == module.MODELS


# What outlives the process


class Slot(Lab):
    """A slot that keeps what it learns."""

    def __init__(self, path):
        super().__init__()
        self.learned = Learned(self.clock, LearnedFile(path))

    def drift_away(self):
        for number in range(5):
            self.reply(10_000, 0, 9000, family=b"%d" % number)
            self.learned.save()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "learned"


def test_a_halted_model_is_halted_after_a_restart_however_the_process_ended(path):
    Slot(path).drift_away()  # not closed: killed
    again = Slot(path)
    assert not again.learned.allows(MODEL)
    assert again.learned.kept() == {"restored": 1, "unread": 0, "unsaved": 0, "reason": ""}


def test_after_a_restart_replies_that_are_held_against_nothing_set_no_model_free(path):
    Slot(path).drift_away()
    again = Slot(path)
    for number in range(20):
        assert not again.reply(10_000, 0, 0, family=b"new %d" % number)
    assert [again.reply(10_000, 9000, 9000) for _ in range(12)].index(True) > 2  # calm, at last


def test_what_tokens_are_worth_is_known_again(path):
    slot = Slot(path)
    for number in range(9):
        slot.reply(12_500, counted=10_000, family=b"%d" % number)
    slot.learned.close()
    again = Slot(path)
    assert again.learned.scale("anthropic", MODEL) == slot.learned.scale("anthropic", MODEL)
    assert again.learned.statistics() == slot.learned.statistics()


def test_a_slot_that_takes_over_follows_the_one_that_drains(path):
    old, fresh = Slot(path), Slot(path)
    assert fresh.learned.allows(MODEL)
    old.drift_away()
    assert not fresh.learned.allows(MODEL)


def test_the_last_word_of_a_slot_that_drains_does_not_set_free_what_the_other_halted(path):
    old, fresh = Slot(path), Slot(path)
    for number in range(30):
        old.reply(10_000, 9000, 9000, family=b"%d" % number)  # it knows more, and all of it is calm
    fresh.drift_away()
    old.learned.close()
    assert not Slot(path).learned.allows(MODEL)
    assert not fresh.learned.allows(MODEL)


def test_a_model_set_free_is_free_in_the_other_slot_and_after_a_restart(path):
    Slot(path).drift_away()
    one, two = Slot(path), Slot(path)
    for _ in range(12):
        one.reply(10_000, 9000, 9000)
        one.learned.save()
    assert one.learned.allows(MODEL)
    assert two.learned.allows(MODEL)
    assert Slot(path).learned.allows(MODEL)


def test_it_is_kept_now_and_then_and_a_halt_at_once(path):
    slot = Slot(path)
    slot.reply(10_000)
    slot.learned.save()
    assert not path.exists()
    slot.clock.now += module.SAVE_S
    slot.learned.save()
    written = path.read_bytes()
    slot.reply(10_000)
    slot.learned.save()
    assert path.read_bytes() == written
    slot.drift_away()
    assert path.read_bytes() != written


def test_a_damaged_file_begins_anew_and_is_counted(path):
    Slot(path).drift_away()
    path.write_bytes(path.read_bytes()[:-4])
    again = Slot(path)
    assert again.learned.allows(MODEL)
    assert again.learned.statistics() == {}
    assert again.learned.kept()["unread"] == 1
    again.drift_away()
    assert not Slot(path).learned.allows(MODEL)


def test_absurd_counts_and_names_are_kept_as_far_as_they_can_be(path):
    slot = Slot(path)
    slot.reply(10**15, counted=1)
    slot.reply(10_000, model="\udc80")
    slot.learned.close()
    assert Slot(path).learned.kept()["restored"] == 1


def test_without_a_file_nothing_is_kept(lab):
    lab.reply(10_000)
    lab.learned.save()
    lab.learned.close()
    assert lab.learned.kept() is None


def test_accounts_keep_what_their_replies_teach(path):
    body, lab = agent_loop.request(agent_loop.loop(2), system=agent_loop.SYSTEM), accounting.Lab()
    lab.accounts = Accounts(lambda: accounting.TABLE, lab.clock, LearnedFile(path))
    lab.send(body, after_s=module.SAVE_S)
    assert path.exists()  # a process that is killed has kept it
    path.unlink()
    lab.send(body)
    assert not path.exists()
    lab.accounts.close()
    again = Accounts(lambda: accounting.TABLE, lab.clock, LearnedFile(path)).statistics()
    assert again["learned"]["restored"] == 1
    assert again["models"] == lab.accounts.statistics()["models"]
