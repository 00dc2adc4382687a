"""`flexoraa model …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`model_command`).
"""

from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

model_app = typer.Typer(help="Models of leads: training, versions, who is champion and why, scoring.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")]
One = Annotated[str, typer.Option("--tenant", help="Whose model.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The moment to speak of (ISO 8601 with offset); else now.")]
By = Annotated[str, typer.Option("--by", help="Who decides: the id of one of the tenant's managers or admins.")]
Version = Annotated[int, typer.Argument(min=1, help="A version's number.")]

NOTHING_TRAINED = 3
"""Exit code where no tenant got a version: done, but there is too little to learn from."""


@model_app.command(epilog="Example: flexoraa model train --tenant asha_homes --json")
def train(tenant: Tenant = None, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Train on everything known, store a version for each tenant, and make it champion where the evidence says so.

    Exit code 3 where there is too little to learn from.
    """
    from orchestration.model_command import open_models

    with open_models(Settings.load(home), None if as_of is None else moment(as_of)) as models:
        rows = models.train(tenant)
    if json:
        print_json({"trained": rows})
    else:
        for row in rows:
            version = f"version {row['version']} is {row['state']}" if row["version"] else "no version"
            typer.echo(f"{row['tenant_id']}: {version}; {row['reason']}")
    if not any(row["version"] for row in rows):
        raise typer.Exit(NOTHING_TRAINED)


@model_app.command("list", epilog="Example: flexoraa model list --tenant asha_homes")
def list_versions(tenant: Tenant = None, home: Home = None, json: Json = False) -> None:
    """Every version: when it was made, from how much, and which one is champion."""
    from orchestration.model_command import open_models

    with open_models(Settings.load(home), None) as models:
        rows = models.versions(tenant)
        refuse_unknown(home, tenant, rows)
    if json:
        print_json({"versions": rows})
    elif not rows:
        typer.echo("there is no model yet: `flexoraa model train` makes one")
    else:
        _print(rows)


@model_app.command(epilog="Example: flexoraa model show 2 --tenant asha_homes")
def show(version: Version, tenant: One, home: Home = None, json: Json = False) -> None:
    """The card of a version, and the journal of its model: who was champion when and why."""
    from orchestration.model_command import open_models

    with open_models(Settings.load(home), None) as models:
        card, page, journal = models.show(tenant, version)
    if json:
        print_json({"card": card, "journal": journal})
        return
    typer.echo(page)
    for row in journal:
        typer.echo(f"{row['decided_at']}  version {row['version']}  {row['cause']} by {row['decided_by']}: {row['reason']}")


@model_app.command(epilog="Example: flexoraa model promote 2 --tenant asha_homes --by meera")
def promote(version: Version, tenant: One, by: By, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Make a version champion if it is significantly better on rows that neither was fitted to; else say why not."""
    from orchestration.model_command import open_models

    with open_models(Settings.load(home), None if as_of is None else moment(as_of)) as models:
        _tell(models.promote(tenant, version, by), is_json=json)


@model_app.command(epilog='Example: flexoraa model rollback --tenant asha_homes --severity critical --reason "intent drifts"')
def rollback(  # noqa: PLR0913 — one parameter an option
    tenant: One,
    to: Annotated[int | None, typer.Option(help="A person's choice: this version, whatever the evidence; needs --by.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who decides: the id of one of the tenant's managers or admins.")] = None,
    severity: Annotated[str, typer.Option(help="Of the drift: ok, warn or critical.")] = "critical",
    reason: Annotated[str, typer.Option(help="What drifts; made of names and numbers, for it is told and kept.")] = "asked for by hand",
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Answer drift: the last good version if it is better, else a retrained one if that is, else the champion stays; told and kept."""
    from orchestration.model_command import open_models

    with open_models(Settings.load(home), None if as_of is None else moment(as_of)) as models:
        answer = models.put(tenant, to, by) if to is not None else models.answer_drift(tenant, severity, reason)
    _tell(answer, is_json=json)


@model_app.command(epilog="Example: flexoraa model score --tenant asha_homes --json")
def score(tenant: Tenant = None, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """What the champions say of every open lead, best first, with what each feature adds; nothing is logged."""
    from orchestration.model_command import open_models

    with open_models(Settings.load(home), None if as_of is None else moment(as_of)) as models:
        rows, refused = models.score(tenant)
        refuse_unknown(home, tenant, rows, refused)
    if json:
        print_json({"scores": rows, "refused": refused})
    elif rows:
        _print([{name: row[name] for name in ("tenant_id", "lead_id", "version", "probability", "tier", "most")} for row in rows])
    else:
        typer.echo("no lead is scored: no model is in service, or no lead is open")
    for each in refused:
        typer.echo(f"flexoraa: {each}", err=True)
    if refused:
        raise typer.Exit(1)


def _tell(answer: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        print_json(answer)
    else:
        typer.echo(f"{answer['tenant_id']}: version {answer['champion']} is champion ({answer['verdict']}); {answer['reason']}")


def _print(rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    from orchestration.tables import print_table

    print_table(pa.Table.from_pylist(rows), "table")
