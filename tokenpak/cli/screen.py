"""The status of the service on one screen. What is not known is a dash or not there, and never 0."""

from typing import Any

import msgspec

from tokenpak.cli.render import amount, duration, size, table
from tokenpak.control.states import State
from tokenpak.control.today import Today

NANO = 10**9
KEEPER = "front:front_00"


class Process(msgspec.Struct, frozen=True):
    """One process. state: supervisord's word. restarts: since the service was started. None: it does not run, or unknown."""

    name: str
    group: str
    state: str
    pid: int | None
    uptime_s: int | None
    restarts: int | None
    rss_bytes: int | None
    log: str

    @property
    def full_name(self) -> str:
        """What supervisorctl calls it."""
        return self.name if self.name == self.group else f"{self.group}:{self.name}"


class Limits(msgspec.Struct, frozen=True):
    """Where a budget warns and where it refuses, in nano-dollars (core/budget)."""

    warn: int | None
    block: int | None
    ceiling: int | None


class Status(msgspec.Struct, frozen=True):
    """What `status --json` prints. statistics: the control process's answer, null when it has none.

    limits: of each budget. halted: models that get no new edits.
    """

    state: State
    version: str
    url: str
    state_dir: str
    pid: int | None
    degraded: tuple[str, ...]
    processes: tuple[Process, ...]
    today: Today
    limits: dict[str, Limits]
    halted: tuple[str, ...]
    statistics: dict[str, Any] | None


def in_words(status: Status) -> str:
    """For a person."""
    if status.state is State.STOPPED:
        return f"TokenPak {status.version}  stopped  (state directory {status.state_dir})\n{_today(status.today)}"
    parts = [f"TokenPak {status.version}  {status.state}  {status.url}  pid {status.pid or '-'}"]
    parts += [_processes(status.processes)] if status.processes else []
    parts += [f"! {reason}" for reason in status.degraded]
    parts += _now(status.statistics or {})
    parts += [_today(status.today)]
    parts += _budgets(status)
    parts += [f"no new edits for {name}: what it counts drifts; see `tokenpak savings`" for name in status.halted]
    parts.append(f"state directory {status.state_dir}")
    return "\n".join(parts)


def _processes(processes: tuple[Process, ...]) -> str:
    head = ("PROCESS", "STATE", "PID", "UPTIME", "RESTARTS", "MEMORY")
    rows = [
        (
            each.full_name,
            "STANDBY" if each.group == "front" and each.state == "EXITED" else each.state,
            str(each.pid or ""),
            duration(each.uptime_s),
            "" if each.restarts is None or each.full_name == KEEPER else str(each.restarts),
            "" if each.rss_bytes is None else size(each.rss_bytes),
        )
        for each in processes
    ]
    return table(head, rows)


def _now(told: dict[str, Any]) -> list[str]:
    """What is under way, by what the parts count themselves; a part that says nothing has no line."""
    parts = []
    if (under_way := _at(told, "front", "app", "under_way")) is not None:
        ended = _at(told, "front", "app", "ended") or {}
        by_state = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in sorted(ended.items()))
        parts.append(f"now: {under_way:,} under way{f'; since the front began: {by_state}' if by_state else ''}")
    if (waiting := _at(told, "front", "pool", "waiting")) is not None:
        pending, dropped = (_at(told, "front", "recorder", name) for name in ("pending", "dropped"))
        parts.append(f"waiting: {waiting:,} for a worker; rows: {pending or 0:,} not stored yet, {dropped or 0:,} lost")
    if (journal := _at(told, "journal", "size_bytes")) is not None:
        parts.append(f"store {size(told['store_bytes'])}, journal {size(journal)}")
    if found := _at(told, "front", "redaction", "found"):
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.items()))
        parts.append(f"secrets found since the front began: {kinds}")
    return parts


def _today(today: Today) -> str:
    if today.requests is None:
        return f"today: {today.trouble}"
    parts = [f"today: {amount(today.requests, 'request')}"]
    if today.cost_nanos is not None:
        parts.append(_dollars(today.cost_nanos))
    if today.unpriced:
        parts.append(f"{today.unpriced:,} without a cost")
    if today.saved_nanos is not None:
        parts.append(f"compression saved {_dollars(today.saved_nanos)}")
    if today.added is not None:
        added = today.added
        parts.append(f"added p50 {added.p50_ms:.1f} ms, p99 {added.p99_ms:.1f} ms over the latest {added.requests:,}")
    return ", ".join(parts)


def _budgets(status: Status) -> list[str]:
    lines = []
    for name, told in (_at(status.statistics or {}, "front", "budgets", "budgets") or {}).items():
        limits = msgspec.structs.asdict(status.limits.get(name, Limits(None, None, None)))
        bounds = "".join(f", {word} at {_dollars(at)}" for word, at in limits.items() if at is not None)
        lines.append(f"budget {name}: ${told['spent']:,.2f} spent, ${told['held']:,.2f} held{bounds}")
    return lines


def _dollars(nanos: int) -> str:
    return f"{'-' if nanos < 0 else ''}${abs(nanos) / NANO:,.2f}"


def _at(told: Any, *names: str) -> Any:
    """What stands at a path of names; None where there is nothing of that form."""
    for name in names:
        if not isinstance(told, dict):
            return None
        told = told.get(name)
    return told
