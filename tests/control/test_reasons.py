import pytest

from tokenpak.control.reasons import halted_models, of_front, of_writer

WELL = {
    "app": {"under_way": 1, "ended": {}, "defects": 0},
    "recorder": {"dropped": 0, "journal_trouble": None, "pending": 3},
    "budgets": {"file": {"unsaved": 0, "unread": 0, "reason": ""}, "settled": 3},
    "redaction": {"key_kept": True, "found": {}},
    "accounts": {"models": {"anthropic/m": {"halted": False, "drift": 0.0}}},
}


def test_all_is_well():
    assert of_front(WELL) == ()
    assert of_front({**WELL, "budgets": {"file": None}}) == ()
    assert of_writer({"degraded": None, "pid": 3}) == ()
    assert halted_models(WELL) == ()


@pytest.mark.parametrize(
    ("part", "told", "words"),
    [
        ("recorder", {"dropped": 1200, "journal_trouble": None}, ("1,200 rows were lost", "restart front")),
        ("recorder", {"dropped": 0, "journal_trouble": "No space left"}, ("No space left", "Make room")),
        ("budgets", {"file": {"unsaved": 3, "reason": "Read-only"}}, ("Read-only", "3 lines", "doctor")),
        ("redaction", {"key_kept": False}, ("key of redaction", "doctor")),
    ],
)
def test_each_trouble_is_told_with_what_to_do(part, told, words):
    (reason,) = of_front({**WELL, part: told})
    assert all(word in reason for word in words)


def test_a_store_that_refuses():
    (reason,) = of_writer({"degraded": "cannot open the database: disk full"})
    assert "disk full" in reason
    assert "doctor" in reason


def test_a_store_of_a_newer_version_says_what_a_downgrade_cannot_do(tmp_path):
    """In the very words of the store, so that neither drifts away from the other."""
    import sqlite3

    from tokenpak.telemetry.store import StoreUnusableError, open_store

    with sqlite3.connect(tmp_path / "db") as newer:
        newer.execute("CREATE TABLE x(y)")
        newer.execute("PRAGMA application_id = 0x5450414B")
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreUnusableError) as refused:
        open_store(tmp_path / "db")
    (reason,) = of_writer({"degraded": str(refused.value)})
    assert "Install the newer version again" in reason
    assert "rows wait in the journal" in reason


def test_models_that_are_stopped():
    models = {"anthropic/m": {"halted": True}, "openai/n": {"halted": False}}
    assert halted_models({**WELL, "accounts": {"models": models}}) == ("anthropic/m",)


@pytest.mark.parametrize("told", [{}, {"recorder": "?"}, {"accounts": {"models": [1]}}, {"budgets": None}])
def test_what_is_of_another_form_is_no_reason(told):
    assert of_front(told) == ()
    assert halted_models(told) == ()
    assert of_writer(told) == ()
