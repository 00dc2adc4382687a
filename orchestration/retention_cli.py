"""`flexoraa retention …`: how long each tenant keeps what, and legal holds.

Here belongs reading the command line and who may. Not here: the tables (`resources.retention`), removing (`resources.retained`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli_options import Home, Json, print_json, refuse_unknown
from orchestration.resources.settings import Settings

if TYPE_CHECKING:
    from orchestration.resources.retention import PostgresRetention

retention_app = typer.Typer(help="How long each tenant keeps what, and legal holds that keep it longer.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option("--tenant", help="Whose.")]
By = Annotated[str, typer.Option("--by", help="Who decides: the id of a manager or admin of the tenant.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept sealed under the tenant's key.")]


@retention_app.command(name="list", epilog="Example: flexoraa retention list --json")
def list_(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show the rules and holds in force, and on what a rule may be."""
    from orchestration.resources.retained import KEPT

    with _opened(home) as (retention, _):
        rules, holds = retention.rules(tenant), retention.holds(tenant)
        refuse_unknown(home, tenant, rules, holds)
    if json:
        print_json({"rules": [each._asdict() for each in rules], "holds": [each._asdict() for each in holds], "kept": dict(KEPT)})
        return
    for rule in rules:
        typer.echo(f"{rule.tenant_id} keeps {KEPT[rule.kept]} ({rule.kept}) for {rule.days} days, by {rule.decided_by}")
    for hold in holds:
        typer.echo(f"{hold.hold_id} holds {hold.lead_id or 'all'} of {hold.tenant_id} since {hold.decided_at.date()}, by {hold.decided_by}")
    if not rules and not holds:
        typer.echo("no rule and no hold; bodies of the quarantine are kept as the tenants file says, raw segments for FLEXORAA_DONE_DAYS")


@retention_app.command(name="set", epilog="Example: flexoraa retention set lake.messages --tenant asha_homes --days 730 --by meera")
def set_(
    kept: Annotated[str, typer.Argument(help="What is kept; `flexoraa retention list --json` names all.")],
    tenant: Tenant,
    by: By,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="For how long; without it, the rule is taken back.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Set how long something is kept; it goes with the next daily retention."""
    from core.privacy import PrivacyError
    from orchestration.resources.retained import KEPT
    from orchestration.resources.retention import Rule

    with _opened(home) as (retention, check):
        if kept not in KEPT:
            raise PrivacyError("unknown_kept", f"there is no rule on {kept!r}; there are {', '.join(KEPT)}")
        now = check(tenant, by, "retention.set", kept, {"days": days})
        rule = Rule(tenant, kept, days, by, now)
        retention.set(rule)
    if json:
        print_json(rule._asdict())
    else:
        typer.echo(f"{tenant} keeps {KEPT[kept]} " + (f"for {days} days." if days else "as before there was a rule."))


@retention_app.command(epilog='Example: flexoraa retention hold --tenant asha_homes --lead lead_3kq7 --by meera --reason "lawsuit 12/26"')
def hold(
    tenant: Tenant,
    by: By,
    reason: Reason,
    lead: Annotated[str | None, typer.Option("--lead", help="A lead or contact point; else all of the tenant.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Keep everything of a lead, or of a tenant: no rule and no erasure removes it until the hold is released."""
    from core.actions import key_of
    from orchestration.resources.retention import Hold

    settings = Settings.load(home)
    with _opened(home) as (retention, check):
        meant = None if lead is None else _lead(settings, tenant, lead, retention)
        now = check(tenant, by, "retention.held", meant or tenant, {})
        made = Hold(f"hold_{key_of(tenant, meant, now.isoformat())[:12]}", tenant, meant, by, now)
        retention.hold(made, reason)
    if json:
        print_json(made._asdict())
    else:
        typer.echo(f"{made.hold_id}: {meant or 'all'} of {tenant} is held.")


@retention_app.command(epilog='Example: flexoraa retention release hold_5f2c --by meera --reason "settled"')
def release(id: Annotated[str, typer.Argument(help="A hold's id.")], by: By, reason: Reason, home: Home = None, json: Json = False) -> None:
    """End a hold."""
    from core.privacy import PrivacyError

    with _opened(home) as (retention, check):
        found = next((each for each in retention.holds() if each.hold_id == id), None)
        if found is None:
            raise PrivacyError("no_hold", f"{id} is no hold in force: flexoraa retention list shows those")
        now = check(found.tenant_id, by, "retention.released", id, {})
        retention.hold(found._replace(hold_id=f"{id}_end", decided_by=by, decided_at=now), reason, releases=id)
    if json:
        print_json({"hold_id": id, "state": "released"})
    else:
        typer.echo(f"{id} is released.")


def _lead(settings: Settings, tenant: str, token: str, _retention: "PostgresRetention") -> str:
    from orchestration.gdpr_command import open_office

    with open_office(settings) as office:
        return office.persons().find(tenant, token, "IN").lead_id


@contextmanager
def _opened(home: Path | None) -> Iterator[tuple["PostgresRetention", Any]]:
    """The tables, and a check of who asks that writes the audit log."""
    from core.privacy import PrivacyError
    from orchestration.gdpr_command import open_office
    from orchestration.resources.retention import PostgresRetention

    with open_office(Settings.load(home)) as office:

        def check(tenant: str, by: str, action: str, subject: str, details: dict[str, Any]) -> Any:
            now = office.clock.now()
            role = office.requests.role(tenant, by, now)
            if role not in {"manager", "admin"}:
                known = tenant if tenant in office.requests.tenants() else ""
                office.audit.append(known, by if role else "unknown", "retention.refused", subject, {"deed": action})
                raise PrivacyError("wrong_role", f"{by} is {role or 'nobody'} of {tenant} and may not: a manager or an admin may")
            office.audit.append(tenant, by, action, subject, details)
            return now

        yield PostgresRetention(office.state, office.vault), check
