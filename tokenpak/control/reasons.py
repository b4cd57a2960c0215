"""Why the service is degraded, read out of what its parts say of themselves: each reason with what to do.

The parts speak in their own words (`statistics()` of the front's and the writer's). Here a few of them are understood, and
what is not there, or of another form, is no reason: a newer part may say it differently.
"""

from typing import Any

import msgspec

STORE_IS_NEWER = "newer TokenPak"
"""What the writer's words hold when the store was made by a later version (telemetry/store)."""


class _Recorder(msgspec.Struct, frozen=True):
    dropped: int = 0
    journal_trouble: str | None = None


class _File(msgspec.Struct, frozen=True):
    unsaved: int = 0
    reason: str = ""


class _Budgets(msgspec.Struct, frozen=True):
    file: _File | None = None


class _Redaction(msgspec.Struct, frozen=True):
    key_kept: bool = True


class _Model(msgspec.Struct, frozen=True):
    halted: bool = False


class _Accounts(msgspec.Struct, frozen=True):
    models: dict[str, _Model] = {}


class _App(msgspec.Struct, frozen=True):
    defects: int = 0


class _Front(msgspec.Struct, frozen=True):
    app: _App = _App()
    recorder: _Recorder = _Recorder()
    budgets: _Budgets = _Budgets()
    redaction: _Redaction = _Redaction()
    accounts: _Accounts = _Accounts()


class _Writer(msgspec.Struct, frozen=True):
    degraded: str | None = None


def of_front(told: dict[str, Any]) -> tuple[str, ...]:
    """What the serving front says that somebody should look at."""
    front = _read(told, _Front, _Front())
    reasons = []
    if front.recorder.journal_trouble:
        reasons.append(
            f"the journal cannot be written ({front.recorder.journal_trouble}); rows are kept in memory, and lost when it "
            "is full. Make room on the disk, or see `tokenpakctl doctor`"
        )
    if front.recorder.dropped:
        reasons.append(
            f"{front.recorder.dropped:,} rows were lost, as neither the writer nor the disk took them. Requests were not "
            "touched; the count is over with the next `tokenpakctl restart front`"
        )
    if front.budgets.file and front.budgets.file.reason:
        reasons.append(
            f"what was spent cannot be written down ({front.budgets.file.reason}); budgets hold, but a restart would "
            f"forget {front.budgets.file.unsaved:,} lines. See `tokenpakctl doctor`"
        )
    if not front.redaction.key_kept:
        reasons.append(
            "the key of redaction could not be kept; placeholders change with the next restart. See `tokenpakctl doctor`"
        )
    return tuple(reasons)


def of_writer(told: dict[str, Any]) -> tuple[str, ...]:
    """What the writer says that somebody should look at."""
    degraded = _read(told, _Writer, _Writer()).degraded
    if not degraded:
        return ()
    if STORE_IS_NEWER in degraded:
        remedy = (
            "This version cannot read or write it, and leaves it as it is; rows wait in the journal. Install the newer "
            "version again, or move the file away for a new one"
        )
    else:
        remedy = "Rows wait in the journal. See `tokenpakctl doctor`"
    return (f"the store takes no rows: {degraded}. {remedy}",)


def halted_models(told: dict[str, Any]) -> tuple[str, ...]:
    """Models that get no new edits at present, as what their provider counts drifts from what is expected."""
    models = _read(told, _Front, _Front()).accounts.models
    return tuple(name for name, model in models.items() if model.halted)


def _read(told: dict[str, Any], kind: type[Any], otherwise: Any) -> Any:
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError:
        return otherwise
