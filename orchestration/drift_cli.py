"""`flexoraa drift …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`drift_command`).
"""

from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

drift_app = typer.Typer(help="Drift: models in service against what they were made with.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")]
Model = Annotated[str | None, typer.Option("--model", help="Only this model; else all.")]


@drift_app.command(epilog="Example: flexoraa drift run --week 2026-11-16 --tenant asha_homes --json")
def run(
    week: Annotated[str | None, typer.Option(help="A day of the week to look at (ISO date); else of the week that ended last.")] = None,
    tenant: Tenant = None,
    model: Model = None,
    report: Annotated[bool, typer.Option("--report", help="Write Evidently's pages too: 15 s more.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="The moment to speak of (ISO 8601 with offset); else now.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Look at a week now. A second look at other rows of the same week wants more evidence than the first.

    Exit code 3: a model warns or is critical.
    """
    from orchestration.drift_command import look

    answer = look(Settings.load(home), week, None if as_of is None else moment(as_of), (tenant, model), with_report=report)
    refuse_unknown(home, tenant, answer["models"])
    _tell(answer, is_json=json)
    raise typer.Exit(3 if any(each["severity"] != "ok" for each in answer["models"]) else 0)


@drift_app.command(epilog="Example: flexoraa drift show --model lead_scoring")
def show(tenant: Tenant = None, model: Model = None, home: Home = None, json: Json = False) -> None:
    """Every verdict so far, the newest last; from the journal, so it also answers while a run is on its way."""
    from orchestration.drift_command import history

    models = history(Settings.load(home), (tenant, model))
    refuse_unknown(home, tenant, models)
    _tell({"state": "", "models": models, "pages": []}, is_json=json)


def _tell(answer: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        print_json(answer)
        return
    if not answer["models"]:
        typer.echo(answer["state"] or "no model was looked at yet")
    for each in answer["models"]:
        typer.echo(f"{each['week_date']}  {each['tenant_id']} {each['model']} {each['version']}: {each['severity']}")
        for reason in each["reasons"]:
            typer.echo(f"  {reason}")
    for page in answer["pages"]:
        typer.echo(page)
