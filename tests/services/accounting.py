"""An account's surroundings in tests: a clock, a client that goes on, and a provider that does as it is told."""

import msgspec

from tests.core import agent_loop
from tokenpak.config.prices import in_force, shipped
from tokenpak.core import ledger, savings
from tokenpak.core.body import outline, read
from tokenpak.core.footprint import footprint_of
from tokenpak.core.patch import Form, Format
from tokenpak.core.pipeline import replay
from tokenpak.core.plan import plan_of
from tokenpak.core.usage import Observation, Usage
from tokenpak.services.accounts import Account, Accounts, Opened, Told

TABLE = in_force(shipped(), {}, "2026-11-28")
MODEL = agent_loop.MODEL
HOST = "api.anthropic.com"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Lab:
    """One account book. A provider answers as the ledger expects unless a test says otherwise."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.accounts = Accounts(lambda: TABLE, self.clock)

    def open(
        self,
        body: bytes,
        fmt: Format = Format.ANTHROPIC,
        provider: str = "anthropic",
        after_s: float = 1.0,
        forms: tuple[Form, ...] = (),
        **more: object,
    ) -> Opened:
        """The account of a body sent in these forms, its response begun."""
        self.clock.now += after_s
        view = read(fmt, body)
        footprint = footprint_of(view, replay(view, plan_of(forms)))
        return self.accounts.open(Told(provider, HOST, outline(fmt, body), footprint, **more))  # type: ignore[arg-type]

    def settle(self, opened: Opened, usage: Usage | None = None, **seen: object) -> Account:
        """The account, by a usage or as the ledger expects."""
        told = opened.told
        usage = usage or self.expected(opened)
        observed = msgspec.structs.replace(Observation(usage, told.model, "provider"), **seen)
        return self.accounts.settle(opened, told.provider, told.model, observed)

    def send(self, body: bytes, usage: Usage | None = None, **more: object) -> Account:
        """Open and settle."""
        return self.settle(self.open(body, **more), usage)  # type: ignore[arg-type]

    def expected(self, opened: Opened) -> Usage:
        """The usage that is just what the ledger expects of a request."""
        scale = self.accounts.learned.scale(opened.told.provider, opened.told.model)
        worlds = savings.worlds(opened.told.footprint, opened.setting, scale)
        used = savings.bill(opened.expected, worlds, opened.rules or ledger.UNKNOWN).sent
        return Usage(used.uncached, used.read, used.write_5m, used.write_1h, used.write_other, 10)
