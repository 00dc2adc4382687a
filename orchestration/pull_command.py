"""`flexoraa pull`: what vendors do not send by themselves, now and by hand.

Here belongs opening what it needs and telling what came of it. Not here: fetching (`orchestration.resources.pull`), when it runs by itself
(`orchestration.sensors`).
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx
import typer

from core.pulling import Pulled
from orchestration.cli_options import print_json
from orchestration.resources.clock import SystemClock
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.pull.backfill import Span
from orchestration.resources.pull.http import PullUsageError
from orchestration.resources.pull.vendors import VendorPull, nobody
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault


class Options(NamedTuple):
    """What all of its commands take."""

    home: Path | None
    tenant_id: str | None
    is_dry: bool
    is_quiet: bool
    is_json: bool


def mailboxes(options: Options, *, is_watch: bool) -> int:
    """Poll, or renew watches; returns the exit code."""

    def work(pull: VendorPull) -> Sequence[Pulled]:
        found = [each for each in pull.mailboxes() if options.tenant_id in {None, each.tenant_id}]
        if not found:
            raise PullUsageError(nobody("gmail", options.tenant_id))
        if not is_watch:
            return [pull.poll(each) for each in found]
        watched = [each for each in found if each.is_watched]
        if not watched:
            message = "no Gmail connection has a watch_topic: add it to the tenants file, then run `flexoraa tenant apply`"
            raise PullUsageError(message)
        return [pull.watch(each) for each in watched]

    return _run(options, work)


def back_fill(source: str, span: Span, options: Options) -> int:
    """Back-fill a span; returns the exit code."""
    return _run(options, lambda pull: pull.back_fill(source, *span, options.tenant_id))


def _run(options: Options, work: Callable[[VendorPull], Sequence[Pulled]]) -> int:
    settings, clock = Settings.load(options.home), SystemClock()
    with ExitStack() as stack:
        state = stack.enter_context(open_state(settings))
        timeout = httpx.Timeout(settings.http_read_seconds, connect=settings.http_connect_seconds)
        client = stack.enter_context(httpx.Client(timeout=timeout))
        progress = TerminalProgress(quiet=options.is_quiet)
        pull = VendorPull(settings, state, Vault(state, settings.master_key()), client, clock, progress)
        told = work(replace(pull, is_dry=options.is_dry))
    if options.is_json:
        print_json({"is_dry_run": options.is_dry, "pulled": [each._asdict() for each in told]})
    for each in told:
        _tell(each, options)
    return 1 if any(each.state != "done" for each in told) else 0


def _tell(each: Pulled, options: Options) -> None:
    name = f"{each.tenant_id} {each.connection_id} {each.resource}".strip()
    if each.state == "failed":
        print(f"flexoraa: {each.error}", file=sys.stderr)
    elif each.state == "busy":
        print(f"flexoraa: {name}: somebody else is fetching it now; try again when that has ended", file=sys.stderr)
    elif not options.is_json:
        what = "would be handed in" if options.is_dry else "handed in"
        typer.echo(f"{name}: {each.items:,} in {each.pages:,} pages, {each.bodies:,} bodies {what}")
