"""`flexoraa actions …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`actions_command`).
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

actions_app = typer.Typer(help="Actions: what became of them, trying again, settling doubts, pauses, the digest.", no_args_is_help=True)

Action = Annotated[str, typer.Argument(help="An action's id; its first digits are enough.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")]
OneTenant = Annotated[str, typer.Option("--tenant", help="Which tenant's actions.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Only this kind, such as send_template or notify; else every kind.")]
By = Annotated[str, typer.Option("--by", help="Who decides: the id of one of the tenant's people.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later; kept sealed under the tenant's key.")]


class State(StrEnum):
    """States of an action."""

    requested = "requested"
    claimed = "claimed"
    sent = "sent"
    rejected = "rejected"
    unknown = "unknown"
    held = "held"
    expired = "expired"
    cancelled = "cancelled"


class Settled(StrEnum):
    """How a doubt ends."""

    sent = "sent"
    not_sent = "not-sent"


@actions_app.command("list", epilog="Example: flexoraa actions list --state unknown --tenant asha_homes")
def list_actions(  # noqa: PLR0913 — one parameter an option
    tenant: Tenant = None,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only of this rule, such as cold_recovery.")] = None,
    kind: Kind = None,
    since: Annotated[str | None, typer.Option(help="Changed since then (ISO 8601 with offset).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List actions, the latest change first, with what became of them and why; and how many there are in each state."""
    from orchestration.actions_command import open_office

    bound = None if since is None else moment(since)
    with open_office(Settings.load(home)) as office:
        rows = office.desk.list(limit, bound, tenant_id=tenant, state=state and state.value, rule=rule, kind=kind)
        counts, pauses = office.desk.counts(), office.desk.pauses(tenant)
        refuse_unknown(home, tenant, rows, pauses)
    if json:
        print_json({"actions": rows, "counts": counts, "pauses": pauses})
        return
    for each in pauses:
        what, since = each["mode"].replace("_", " "), f"{each['begun_at']:%Y-%m-%d %H:%M}"
        of = f"{each['kind'] or 'every kind'} of {each['tenant_id']}"
        typer.echo(f"{what}: {of} since {since} by {each['begun_by']}, holding {each['held']}: {each['note']}")
    _print([_short(each) for each in rows], empty="no such action")
    typer.echo(" · ".join(f"{name} {count}" for name, count in counts.items() if count) or "the outbox is empty")


@actions_app.command(epilog="Example: flexoraa actions show 3f9a1c --json")
def show(action: Action, home: Home = None, json: Json = False) -> None:
    """Show one action: what was wanted, why, every try with its outcome, and what people decided."""
    from orchestration.actions_command import open_office

    with open_office(Settings.load(home)) as office:
        answer = office.show(action)
    if json:
        print_json(answer)
        return
    for name, value in answer["action"].items():
        if value is not None:
            typer.echo(f"{name}: {value}")
    for name in ("attempts", "decisions"):
        typer.echo("")
        hidden = {"action_id", "tenant_id"}
        _print([{key: value for key, value in row.items() if key not in hidden} for row in answer[name]], empty=f"no {name}")


@actions_app.command(epilog='Example: flexoraa actions retry 3f9a1c --by ravi --reason "the hook works again"')
def retry(action: Action, by: By, reason: Reason, home: Home = None, json: Json = False) -> None:
    """Try one again that was rejected, cancelled or is held, or at once what waits for its next try. The gate looks at it as ever."""
    _decide(action, "retried", by, reason, home, is_json=json)


@actions_app.command(epilog='Example: flexoraa actions cancel 3f9a1c --by ravi --reason "told her on the phone"')
def cancel(action: Action, by: By, reason: Reason, home: Home = None, json: Json = False) -> None:
    """Call off one that was not sent yet."""
    _decide(action, "cancelled", by, reason, home, is_json=json)


@actions_app.command(epilog='Example: flexoraa actions resolve 3f9a1c not-sent --by ravi --reason "not in the chat"')
def resolve(
    action: Action,
    outcome: Annotated[Settled, typer.Argument(help="What the other side has.")],
    by: By,
    reason: Reason,
    home: Home = None,
    json: Json = False,
) -> None:
    """Settle one of which nobody knows whether it arrived; not-sent can then be retried."""
    _decide(action, f"resolved_{outcome.name}", by, reason, home, is_json=json)


@actions_app.command(epilog='Example: flexoraa actions pause --tenant asha_homes --kind send_template --by meera --reason "wrong price"')
def pause(tenant: OneTenant, by: By, reason: Reason, kind: Kind = None, home: Home = None, json: Json = False) -> None:
    """Send nothing of a kind until resumed: what is due is held, and goes on when resumed if it is still worth doing."""
    _switch("paused", tenant, kind, by, reason, home, is_json=json)


@actions_app.command("dry-run", epilog='Example: flexoraa actions dry-run --tenant asha_homes --by meera --reason "first week"')
def dry_run(tenant: OneTenant, by: By, reason: Reason, kind: Kind = None, home: Home = None, json: Json = False) -> None:
    """Decide and gate as ever, and send nothing: each action ends as cancelled, saying how it would have gone out."""
    _switch("dry_run", tenant, kind, by, reason, home, is_json=json)


@actions_app.command(
    epilog='Example: flexoraa actions resume --tenant asha_homes --kind send_template --by meera --reason "price corrected"'
)
def resume(tenant: OneTenant, by: By, reason: Reason, kind: Kind = None, home: Home = None, json: Json = False) -> None:
    """End a pause or a dry run."""
    _switch("running", tenant, kind, by, reason, home, is_json=json)


@actions_app.command(epilog="Example: flexoraa actions digest --tenant asha_homes")
def digest(tenant: Tenant = None, home: Home = None, json: Json = False) -> None:
    """What yesterday's actions came to, as each tenant with an address for alerts is told of it at 08:00 by its own clock."""
    from orchestration.actions_command import open_office

    with open_office(Settings.load(home)) as office:
        rows = office.digest(tenant)
    if json:
        print_json({"digests": rows})
    for row in () if json else rows:
        counts = ", ".join(
            f"{name.replace('_', ' ')} {count}" for name, count in row.items() if name not in {"tenant_id", "date"} and count
        )
        typer.echo(f"{row['tenant_id']} {row['date']}: {counts or 'nothing happened'}")
    if not rows and not json:
        typer.echo("no tenant has a destination of kind alerts")


def _decide(action: str, verdict: str, by: str, reason: str, home: Path | None, *, is_json: bool) -> None:
    from orchestration.actions_command import open_office

    with open_office(Settings.load(home)) as office:
        answer = office.decide(action, verdict, by, reason)
    if is_json:
        print_json(answer)
    else:
        typer.echo(f"{answer['action_id'][:12]} of {answer['tenant_id']} was {answer['before']} and is {answer['state']}")


def _switch(mode: str, tenant: str, kind: str | None, by: str, reason: str, home: Path | None, *, is_json: bool) -> None:
    from orchestration.actions_command import open_office

    with open_office(Settings.load(home)) as office:
        if mode == "running":
            answer = office.resume(tenant, kind, by, reason)
        else:
            answer = office.pause(tenant, kind, "paused" if mode == "paused" else "dry_run", by, reason)
    if is_json:
        print_json(answer)
        return
    count = f", {answer['freed']} go on" if mode == "running" else f", {answer['held']} held"
    typer.echo(f"{kind or 'every kind'} of {tenant} is {mode.replace('_', ' ')} now{count}")


def _short(row: dict[str, Any]) -> dict[str, Any]:
    names = ("tenant_id", "rule", "kind", "lead_id", "state", "reason", "attempts", "due_at", "updated_at")
    return {"action_id": row["action_id"][:12]} | {name: row[name] for name in names}


def _print(rows: list[dict[str, Any]], *, empty: str) -> None:
    if not rows:
        typer.echo(empty)
        return
    import pyarrow as pa

    from orchestration.tables import print_table

    print_table(pa.Table.from_pylist(rows), "table")
