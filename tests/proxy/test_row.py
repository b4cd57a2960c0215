import pytest

from tokenpak.core.client import Client
from tokenpak.core.patch import Format, Patch, Tally
from tokenpak.core.route import Route
from tokenpak.core.usage import Observation, Usage
from tokenpak.proxy.row import Course, closed, opened
from tokenpak.services.dispatch import Compressed


@pytest.fixture
async def course(autojump_clock):
    return Course("id", "POST", "/v1/messages", 1)


async def test_nothing_known_is_none_and_not_zero(course):
    row, end = opened(course, "front"), closed(course, Observation(), 2)
    assert {row.provider, row.format, row.client, row.session, row.model_asked, row.stream} == {None}
    assert {end.status, end.error_code, end.bytes_before, end.bytes_after, end.first_byte_ms, end.added_ms} == {None}
    assert (end.attempts, end.state, end.usage, end.compression) == (0, "interrupted", Usage(), "unread")


async def test_searches_are_those_the_tap_saw(course):
    assert closed(course, Observation(), 2).web_searches is None
    assert closed(course, Observation(web_searches=3), 2).web_searches == 3


async def test_a_session_of_the_headers_goes_before_the_family(course):
    course.compressed = Compressed(b"", "literal")
    course.client = Client("codex", None)
    assert opened(course, "f").session is None
    course.client = Client("codex", "s")
    course.route = Route("openai", b"/v1/responses", Format.OPENAI_RESPONSES, "responses")
    row = opened(course, "f")
    assert (row.session, row.provider, row.format) == ("s", "openai", "responses")


async def test_a_model_that_only_the_path_names_was_asked_for_too(course):
    course.route = Route("google", b"/v1beta/models/gemini-2.5-pro:generateContent", None, "other")
    assert opened(course, "f").model_asked == "gemini-2.5-pro"


async def test_added_time_is_what_the_request_waited_for_us(course):
    course.began, course.read_at, course.sent_at, course.head_at, course.passed_at = 0.0, 1.0, 1.25, 9.0, 9.5
    end = closed(course, Observation(), 2)
    assert end.added_ms == 750
    assert end.first_byte_ms == 7750
    course.read_at = None
    assert closed(course, Observation(), 2).added_ms is None


@pytest.mark.parametrize(
    ("fault", "seen", "code"),
    [
        (None, Observation(error="overloaded_error", truncated=True), "overloaded_error"),
        (None, Observation(truncated=True), "truncated"),
        ("upstream_broken", Observation(error="overloaded_error"), "upstream_broken"),
        (None, Observation(), None),
    ],
)
async def test_error_code(course, fault, seen, code):
    course.fault = fault
    assert closed(course, seen, 2).error_code == code


@pytest.mark.parametrize(("claims", "saved"), [(True, {"line-runs": 90}), (False, {})])
async def test_a_count_or_a_prewarm_claims_no_saving(course, claims, saved):
    patch = Patch((), (), 0, bytes(16), (Tally("line-runs", 1, 90),), {}, 0, "o200k_base")
    course.compressed = Compressed(b"", "worker", patch=patch, claims=claims)
    end = closed(course, Observation(), 2)
    assert {name: tally.saved for name, tally in end.passes.items()} == saved
    assert (end.counter is None) is not claims
    assert end.plan_hash == bytes(16).hex()
