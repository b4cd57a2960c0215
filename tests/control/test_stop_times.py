import pytest

from tokenpak.control import stop_times


@pytest.mark.parametrize("drain_s", [0, 0.5, 15.0, 600])
def test_every_owner_outwaits_what_it_owns(drain_s):
    front, tree, service = (f(drain_s) for f in (stop_times.front_s, stop_times.supervisord_s, stop_times.service_s))
    groups = front + stop_times.CONTROL_S + stop_times.WORKER_S + stop_times.WRITER_S
    assert drain_s < front < groups < tree < service
