"""`flexoraa pull`: its commands and their options.

Here belongs reading the command line. Each command imports what it needs when it runs, so that `--help` is quick. Not here: any work
(`pull_command`).
"""

from typing import Annotated

import typer

from orchestration.cli_options import Home, Json, Quiet, moment

pull_app = typer.Typer(
    help="Fetch what vendors do not send by themselves into the inbox. Exit codes: 0 done, 1 an account failed (the others were fetched), "
    "2 wrong use, or nobody's account may be asked.",
    no_args_is_help=True,
)

OfTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's accounts; else all that have an access_token.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask the vendor and count; hand in nothing, and note nothing.")]
Since = Annotated[str, typer.Option(help="From when on (ISO 8601 with offset).")]


@pull_app.command(epilog="Example: flexoraa pull gmail --tenant asha_homes")
def gmail(tenant: OfTenant = None, dry_run: DryRun = False, home: Home = None, quiet: Quiet = False, json: Json = False) -> None:
    """Look at every mailbox now: what is new since the last look, or all of the last days where that is not known."""
    from orchestration import pull_command

    raise typer.Exit(pull_command.mailboxes(pull_command.Options(home, tenant, dry_run, quiet, json), is_watch=False))


@pull_app.command(epilog="Example: flexoraa pull watch --json")
def watch(tenant: OfTenant = None, dry_run: DryRun = False, home: Home = None, quiet: Quiet = False, json: Json = False) -> None:
    """Renew the watch of every mailbox with a watch_topic now."""
    from orchestration import pull_command

    raise typer.Exit(pull_command.mailboxes(pull_command.Options(home, tenant, dry_run, quiet, json), is_watch=True))


@pull_app.command(epilog="Example: flexoraa pull razorpay --since 2026-10-01T00:00:00+05:30 --until 2026-11-01T00:00:00+05:30")
def razorpay(
    since: Since,
    until: Annotated[str | None, typer.Option(help="Until when; else now.")] = None,
    tenant: OfTenant = None,
    dry_run: DryRun = False,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Back-fill payments, refunds and settlements that were made in a span; the same again goes on where it was broken off."""
    from orchestration import pull_command

    span = moment(since), None if until is None else moment(until)
    raise typer.Exit(pull_command.back_fill("razorpay", span, pull_command.Options(home, tenant, dry_run, quiet, json)))


@pull_app.command(epilog="Example: flexoraa pull calendly --since 2026-10-01T00:00:00Z --dry-run")
def calendly(
    since: Since,
    until: Annotated[str | None, typer.Option(help="Until when; else without an end.")] = None,
    tenant: OfTenant = None,
    dry_run: DryRun = False,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Back-fill bookings of meetings that start in a span; the same again goes on where it was broken off."""
    from orchestration import pull_command

    span = moment(since), None if until is None else moment(until)
    raise typer.Exit(pull_command.back_fill("calendly", span, pull_command.Options(home, tenant, dry_run, quiet, json)))
