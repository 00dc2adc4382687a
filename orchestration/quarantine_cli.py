"""`flexoraa quarantine`: list, show, replay, release, expire.

Here belongs reading the command line. Not here: the work (`orchestration.quarantine_command`).
"""

from typing import Annotated

import typer

from orchestration.cli_options import Home, Json, Quiet, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

quarantine_app = typer.Typer(
    help="What was turned away: look at it, try it again, let a held segment in, remove what is too old.", no_args_is_help=True
)

Tenant = Annotated[str | None, typer.Option(help="Only of this tenant; '' for those whose tenant is not known.")]
Source = Annotated[str | None, typer.Option(help="Only of this source.")]
Reason = Annotated[str | None, typer.Option(help="Only with this reason.")]


@quarantine_app.command("list", epilog="Example: flexoraa quarantine list --reason unknown_account --since 2026-11-20T00:00:00Z")
def list_entries(  # noqa: PLR0913 — one parameter an option
    tenant: Tenant = None,
    source: Source = None,
    reason: Reason = None,
    state: Annotated[str | None, typer.Option(help="held, replayed or expired.")] = None,
    since: Annotated[str | None, typer.Option(help="Received at this moment or later.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most entries shown; counts speak of all.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """Counts by reason, the newest entries, and segments that are held whole; no body is opened."""
    from core.quarantine import Choice
    from orchestration.quarantine_command import listed, print_listed

    choice = Choice((), tenant, source, reason, state, None if since is None else moment(since))
    found = listed(Settings.load(home), choice, limit)
    refuse_unknown(home, tenant, found["counts"], found["entries"])
    if json:
        print_json(found)
    else:
        print_listed(found)


@quarantine_app.command(epilog="Example: flexoraa quarantine show 0f3a…-12-1 --reveal")
def show(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="The line itself, personal data and all; that you read it is noted.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """One entry: where it lay, why it was turned away, what became of it."""
    from orchestration.quarantine_command import shown

    found = shown(Settings.load(home), entry_id, is_revealed=reveal)
    if json:
        print_json(found)
    else:
        for name, value in found.items():
            typer.echo(f"{name:14} {'' if value is None else value}")


@quarantine_app.command(epilog="Example: flexoraa quarantine replay --reason unknown_account --tenant '' --dry-run")
def replay(  # noqa: PLR0913 — one parameter an option
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Entries; else choose by options.")] = None,
    tenant: Tenant = None,
    source: Source = None,
    reason: Reason = None,
    all_: Annotated[bool, typer.Option("--all", help="All that is held.")] = False,
    unmodelled: Annotated[bool, typer.Option("--unmodelled", help="Accepted events of types that no decoder knew, instead.")] = False,
    kind: Annotated[str | None, typer.Option(help="With --unmodelled: only of this type.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be, and change nothing.")] = False,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Try again with the connections and decoders of today; what succeeds enters the lake as if it had the first time."""
    from core.quarantine import Choice
    from orchestration.quarantine_command import Wanted, print_replayed, replayed

    wanted = Wanted(Choice(tuple(ids or ()), tenant, source, reason), all_, unmodelled, kind, dry_run)
    found = replayed(Settings.load(home), wanted, quiet=quiet)
    refuse_unknown(home, tenant, found["tried"])
    if json:
        print_json(found)
    else:
        print_replayed(found)
    raise typer.Exit(3 if found["still"] else 0)


@quarantine_app.command(epilog="Example: flexoraa quarantine release 0f3a5c7e")
def release(
    segment: Annotated[str, typer.Argument(metavar="SEGMENT", help="The id of a held segment, or how it begins.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a held segment in nevertheless: the next run takes in what can be, and puts the rest in quarantine."""
    from orchestration.quarantine_command import released

    found = released(Settings.load(home), segment)
    if json:
        print_json(found)
    else:
        typer.echo(f"{found['name']} ({found['segment_id'][:16]}) is released: `flexoraa run` takes it in")


@quarantine_app.command(epilog="Example: flexoraa quarantine expire --as-of 2026-11-22T00:00:00Z")
def expire(
    as_of: Annotated[str | None, typer.Option(help="The moment to speak of (ISO 8601 with offset); else now.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Remove bodies of entries and raw segments that were kept long enough; reasons and counts stay."""
    from orchestration.quarantine_command import expired, print_expired

    found = expired(Settings.load(home), None if as_of is None else moment(as_of))
    if json:
        print_json(found)
    else:
        print_expired(found)
