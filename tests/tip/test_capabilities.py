import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.tip.capabilities import (
    LABELS,
    PUBLISHED,
    UNPUBLISHED,
    Catalog,
    is_label,
    listed,
    profile_gaps,
    unlisted,
)


def test_what_is_published_is_for_a_proxy_once_each_and_of_its_form():
    assert len(set(LABELS)) == len(LABELS)
    assert all(map(is_label, LABELS))
    assert all(capability.profiles == ("tip-proxy",) for capability in PUBLISHED.labels)
    assert msgspec.json.decode(msgspec.json.encode(PUBLISHED), type=Catalog) == PUBLISHED
    assert msgspec.to_builtins(PUBLISHED)["labels"][0]["class"] == "profile-specific"


def test_what_is_not_published_is_not_published_and_says_why():
    assert not set(LABELS) & UNPUBLISHED.keys()
    assert all(is_label(label) and reason.endswith(".") for label, reason in UNPUBLISHED.items())


@pytest.mark.parametrize("label", ["tip.compression.v1", "ext.acme.audit.v1", "ext.tokenpak-paid.tier_gate"])
def test_labels(label):
    assert is_label(label)


@pytest.mark.parametrize("label", ["compression", "TIP.a", "tip.", "tip.A", "tip.a b", "tip.a\n", "xtip.a", "ext", ""])
def test_no_labels(label):
    assert not is_label(label)


@given(st.lists(st.from_regex(r"(tip|ext)\.[a-z0-9._-]+", fullmatch=True)))
def test_a_list_comes_back(labels):
    assert unlisted(listed(labels)) == tuple(labels)


def test_blanks_and_empty_places_of_a_list_are_nobodys():
    assert unlisted(" tip.a ,, tip.b,") == ("tip.a", "tip.b")


@pytest.mark.parametrize(
    ("profile", "labels"),
    [
        ("tip-proxy", LABELS),
        ("tip-companion", ("tip.preview.local", "tip.companion.prompt-packaging")),
        ("tip-adapter", ("tip.adapter.client-integration",)),
        ("tip-adapter", ("tip.adapter.framework-bridge",)),
        ("tip-plugin", ("tip.plugin.hook-point",)),
        ("tip-dashboard-consumer", ("tip.dashboard.read-only",)),
        ("tip-dashboard-consumer", ("tip.alerts.threshold-notifier",)),
    ],
)
def test_a_profile_is_met_and_without_any_label_it_is_not(profile, labels):
    assert profile_gaps(profile, labels) == ()
    assert profile_gaps(profile, ())


@pytest.mark.parametrize("label", ["tip.compression.v1", "tip.cache.provider-observer", "tip.telemetry.wire-side"])
def test_a_proxy_needs_each_of_three(label):
    assert profile_gaps("tip-proxy", set(LABELS) - {label}) == (f"tip-proxy needs {label}",)
