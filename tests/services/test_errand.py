from tests.worker_lab import JOB
from tokenpak.services.errand import Errand, Missed


async def test_the_first_outcome_counts():
    errand = Errand(JOB, b"body", b"s", b"p", 1.5)
    assert not errand.settled.is_set()
    assert errand.settle(Missed("busy"))
    assert not errand.settle(Missed("deadline"))
    assert (errand.outcome, errand.settled.is_set()) == (Missed("busy"), True)


async def test_the_body_is_let_go_and_its_size_is_kept():
    errand = Errand(JOB, b"body", b"s", b"p", 1.5)
    errand.settle(Missed("busy"))
    assert (errand.body, errand.size) == (b"", 4)


async def test_its_time_is_told_by_both_clocks():
    errand = Errand(JOB, b"", b"s", b"p", 1.5)
    assert errand.due - errand.started == 1.5
    assert errand.expiry_ns > 0
