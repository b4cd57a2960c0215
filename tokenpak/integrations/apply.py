"""Preview or do one integration: the plan, told, and with `apply` carried out under the journal's lock."""

from tokenpak.config.paths import Paths
from tokenpak.integrations import journal
from tokenpak.integrations.errors import CannotIntegrate, NotForThatServer, NothingToWrite, WouldNotWork
from tokenpak.integrations.integration import Integration, Setup
from tokenpak.integrations.outcome import Kind, Outcome
from tokenpak.integrations.plan import Plan, carry_out, plan
from tokenpak.integrations.preview import diff


def preview(integration: Integration, setup: Setup, paths: Paths) -> Outcome:
    """What `apply` would do. Writes nothing; nothing raises."""
    try:
        return _told(integration, setup, plan(integration, setup, journal.entry_of(paths, integration.name)), "planned")
    except CannotIntegrate as error:
        return _refused(integration, setup, error)


def apply(integration: Integration, setup: Setup, paths: Paths) -> Outcome:
    """Write what is planned, the journal first. Nothing raises: an obstacle is the outcome, and the file is as it was."""
    try:
        with journal.locked(paths):
            planned = plan(integration, setup, journal.entry_of(paths, integration.name))
            carry_out(planned, paths)
    except CannotIntegrate as error:
        return _refused(integration, setup, error)
    return _told(integration, setup, planned, "written")


def _told(integration: Integration, setup: Setup, planned: Plan, kind: Kind) -> Outcome:
    notes = (*planned.notes, *overruling(integration, setup))
    file = str(planned.shown)
    if planned.entry is None:
        return Outcome(integration.name, "already", f"{file} already calls {setup.root}", file, notes=notes)
    words = f"{file} calls {setup.root} now" if kind == "written" else f"{file} would be changed; --apply does it"
    return Outcome(integration.name, kind, words, file, diff(planned.shown, planned.before, planned.after), notes)


def overruling(integration: Integration, setup: Setup) -> tuple[str, ...]:
    """Variables of this shell that the client believes more than its file."""
    set_here = setup.machine.exported(integration.overriding)
    return tuple(
        f"{name} is set in this shell, and {integration.title} believes it more than the file: unset it"
        for name, _ in set_here
    )


def _refused(integration: Integration, setup: Setup, error: CannotIntegrate) -> Outcome:
    if isinstance(error, NothingToWrite):
        return Outcome(integration.name, "by_hand", str(error), steps=integration.steps(setup.root))
    steps = error.steps if isinstance(error, NotForThatServer) else ()
    kind: Kind = "refused" if isinstance(error, WouldNotWork) else "failed"
    return Outcome(integration.name, kind, str(error), steps=steps)
