from structlog.testing import capture_logs

from tokenpak.proxy.defect import report


def fail(secret):
    raise ValueError(f"bad header {secret}")


def test_says_what_and_where_and_nothing_of_what_passed_through():
    try:
        fail("sk-secret")
    except ValueError as error:
        caught = error
    with capture_logs() as logs:
        report("exchange_failed", ExceptionGroup("g", [caught, ExceptionGroup("h", [KeyError("sk-secret")])]))
    assert [entry["error"] for entry in logs] == ["ValueError", "KeyError"]
    assert logs[0]["event"] == "exchange_failed"
    assert logs[0]["at"][-1].startswith("test_defect.py:")
    assert "sk-secret" not in str(logs)
