"""What `flexoraa quarantine` does, and how it is told.

Here belongs opening an installation, holding its run lock where the lake changes, and printing. Not here: the command line, the work itself
(`assets`).
"""

import getpass
from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

import typer

from assets.breaker import shown as told
from assets.remodel import finish, remodel
from assets.replay import replay
from assets.retention import remove_old
from assets.retrying import Tools
from core.quarantine import Choice, QuarantineError
from orchestration.resources.clients import alone
from orchestration.resources.clock import FixedClock
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings


class Wanted(NamedTuple):
    """What is to be tried again."""

    choice: Choice
    is_all: bool
    is_unmodelled: bool
    kind: str | None
    is_rehearsal: bool


def listed(settings: Settings, choice: Choice, limit: int) -> dict[str, Any]:
    """Counts by reason and state, entries, and segments that are held whole."""
    with open_platform(settings) as platform:
        return {
            "counts": platform.quarantine.counts(choice),
            "entries": [each._asdict() for each in platform.quarantine.find(choice, limit)],
            "held_segments": held_segments(platform),
        }


def held_segments(platform: Platform) -> list[dict[str, Any]]:
    """Every segment that is held whole, with the shares for which it is."""
    return [each._asdict() for each in platform.ledger.held()]


def shown(settings: Settings, entry_id: str, *, is_revealed: bool) -> dict[str, Any]:
    """One entry, with its line where that is wanted; then who reads it is noted first."""
    with open_platform(settings) as platform:
        found = platform.quarantine.find(Choice((entry_id,)))
        if not found:
            raise QuarantineError(f"no entry {entry_id!r}: `flexoraa quarantine list` shows their ids")
        entry: dict[str, Any] = found[0]._asdict()
        if is_revealed:
            body = platform.quarantine.reveal(found[0], getpass.getuser())
            entry["body"] = None if body is None else body.decode(errors="backslashreplace")
        return entry


def replayed(settings: Settings, wanted: Wanted, *, quiet: bool) -> dict[str, Any]:
    """Try again, segment by segment; what a killed attempt left is ended first."""
    _refuse_unclear(wanted)
    progress = TerminalProgress(quiet=quiet)
    with open_platform(settings, None, progress) as platform, alone(settings.home):
        _refuse_missing(platform, wanted.choice)
        platform.lake.prepare()
        tools = Tools(platform.quarantine, platform.lake, platform.lake_rows, platform.vault, platform.ledger.directory())
        finished = [] if wanted.is_rehearsal else finish(tools)
        if wanted.is_unmodelled:
            results = remodel(tools, wanted.choice, wanted.kind, is_rehearsal=wanted.is_rehearsal)
        else:
            results = replay(tools, wanted.choice, is_rehearsal=wanted.is_rehearsal)
        found = [*finished, *progress.over("segments", results)]
    return {
        "is_dry_run": wanted.is_rehearsal,
        "segments": len({each.segment_id for each in found}),
        "tried": sum(each.tried for each in found),
        "taken": dict(sorted(sum((each.taken for each in found), Counter[str]()).items())),
        "still": dict(sorted(sum((each.still for each in found), Counter[str]()).items())),
    }


def _refuse_unclear(wanted: Wanted) -> None:
    choice = wanted.choice
    is_chosen = bool(choice.ids) or any(each is not None for each in (choice.tenant_id, choice.source, choice.reason))
    if wanted.is_unmodelled and (choice.ids or choice.reason is not None):
        raise QuarantineError(
            "--unmodelled speaks of accepted events, which have no entry and no reason: choose with --kind, --source, --tenant"
        )
    if wanted.kind is not None and not wanted.is_unmodelled:
        raise QuarantineError("--kind goes with --unmodelled")
    if wanted.is_all and is_chosen:
        raise QuarantineError("--all and a choice were given: which is meant?")
    if not (is_chosen or wanted.is_all or wanted.is_unmodelled):
        raise QuarantineError("nothing was chosen: give ids, --reason, --source, --tenant, or --all")


def _refuse_missing(platform: Platform, choice: Choice) -> None:
    if choice.ids:
        known = {each.quarantine_id for each in platform.quarantine.find(Choice(choice.ids))}
        missing = sorted(set(choice.ids) - known)
        if missing:
            raise QuarantineError(f"no entry {missing[0]!r}: `flexoraa quarantine list` shows their ids")


def released(settings: Settings, segment: str) -> dict[str, Any]:
    """Let one in, and make it pending."""
    with open_platform(settings) as platform, alone(settings.home):
        found = platform.ledger.release(segment)
        if found is None:
            raise QuarantineError(f"no held segment's id begins with {segment!r}, or several do: `flexoraa quarantine list` shows them")
        platform.inbox.put_back(found.segment_id)
        return {**found._asdict(), "state": "released"}


def expired(settings: Settings, as_of: datetime | None) -> dict[str, Any]:
    """Remove what was kept long enough."""
    clock = None if as_of is None else FixedClock(as_of)
    with open_platform(settings, clock) as platform, alone(settings.home):
        return remove_old(platform.quarantine, platform.inbox, platform.ledger, platform.clock.now())


def print_listed(found: dict[str, Any]) -> None:
    """Tables for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if typer.get_text_stream("stdout").isatty() else 240)
    states = ("held", "replayed", "expired")
    counts = Table("reason", *states, title="Quarantine", title_justify="left")
    for reason, numbers in found["counts"].items():
        counts.add_row(reason, *(str(numbers.get(state, 0)) for state in states))
    console.print(counts if found["counts"] else "Quarantine: nothing")
    columns = ("quarantine_id", "line", "tenant_id", "source", "reason", "place", "detail", "received_at", "state")
    if found["entries"]:
        entries = Table(*columns, title="Entries, newest first", title_justify="left")
        for each in found["entries"]:
            entries.add_row(*(Text("" if each[name] is None else str(each[name])) for name in columns))
        console.print(entries)
    for each in found["held_segments"]:
        console.print(f"segment {each['segment_id'][:16]} {each['name']} is {each['state']}: {told(each['verdicts'])}", markup=False)


def print_replayed(found: dict[str, Any]) -> None:
    """Two or three lines for people."""
    taken = ", ".join(f"{table} {count}" for table, count in found["taken"].items()) or "nothing"
    still = ", ".join(f"{reason} {count}" for reason, count in found["still"].items()) or "nothing"
    verb = "would enter" if found["is_dry_run"] else "entered"
    typer.echo(f"{found['tried']} tried in {found['segments']} segments; {verb} the lake: {taken}; still refused: {still}")
    if found["taken"] and not found["is_dry_run"]:
        typer.echo("`flexoraa run` builds the marts with them")


def print_expired(found: dict[str, Any]) -> None:
    """What was removed, line by line."""
    typer.echo(f"as of {found['as_of']}")
    typer.echo(f"quarantine: {sum(each['entries'] for each in found['quarantine'])} bodies removed")
    for each in found["quarantine"]:
        typer.echo(f"  {each['tenant'] or '(unknown tenant)'} {each['reason']}: {each['entries']}")
    done = found["done_segments"]
    typer.echo(f"inbox/done: {done['removed']} segments removed, {done['bytes']:,} bytes; {done['not_in_ledger']} unknown ones were left")
