"""The parts of the process that are not its traffic; how it serves and ends is told in journeys/test_front_bytes."""

import json
import resource
import uuid

import trio

from tokenpak.config.settings import Settings
from tokenpak.processes import front as module


def test_ids_sort_by_time_and_are_version_7():
    ids = [module._new_id() for _ in range(50)]
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert len(set(ids)) == 50


def test_many_files_may_be_open():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        module._allow_files()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == (module.FILES if hard == resource.RLIM_INFINITY else min(module.FILES, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_trust_store_is_read_only_where_an_upstream_needs_it():
    plain = Settings(state_dir="/x", upstreams={"ollama": "http://127.0.0.1:1"})
    secure = Settings(state_dir="/x", upstreams={"anthropic": "https://api.example.com"}, read_timeout_s=700.0)
    assert module._upstream(plain)._context is None
    assert module._upstream(secure)._context is not None
    assert module._upstream(secure)._timeouts == {"connect": 10.0, "read": 700.0, "write": 60.0, "pool": 700.0}


async def test_statistics_are_those_of_every_part():
    class Part:
        def statistics(self):
            return {"n": 1}

    said = []

    async def send(event):
        said.append(event)

    app = module._Statistics(2, {"a": Part(), "b": Part()})
    await app({"raw_path": b"/statistics", "method": "GET"}, trio.sleep_forever, send)
    report = json.loads(said[1]["body"])
    assert (report["slot"], report["a"], report["b"]) == (2, {"n": 1}, {"n": 1})
    await app({"raw_path": b"/else", "method": "GET"}, trio.sleep_forever, send)
    assert said[2]["status"] == 404
