"""`flexoraa experiment …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`experiment_command`).
"""

from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

experiment_app = typer.Typer(help="Experiments: planning them, how they stand, stopping them, and pages to read.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="An experiment's id.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The moment to speak of (ISO 8601 with offset); else now.")]
By = Annotated[str, typer.Option("--by", help="Who decides: the id of one of the tenant's people.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later; kept sealed under the tenant's key.")]


@experiment_app.command(epilog="Example: flexoraa experiment plan --baseline 0.05 --effect 0.01 --daily 400")
def plan(  # noqa: PLR0913 — one parameter an option
    effect: Annotated[float, typer.Option(help="The difference worth finding, in the metric's unit.")],
    baseline: Annotated[float | None, typer.Option(help="Control's rate, between 0 and 1: plan for a proportion.")] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation of a unit's value: plan for a mean.")] = None,
    daily: Annotated[float, typer.Option(min=0, help="Units exposed a day, all arms together.")] = 0,
    control_percent: Annotated[float, typer.Option(min=0.1, max=99.9, help="Control's part of them; one treatment gets the rest.")] = 50,
    power: Annotated[float, typer.Option(help="How likely the difference is to be found.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Level, two-sided.")] = 0.05,
    json: Json = False,
) -> None:
    """How many units and days an experiment takes, looked at once at the end; what peeking costs on top is said too."""
    from orchestration.experiment_command import plan as made

    answer = made(effect, baseline, sd, daily, control_percent / 100, power, alpha)
    if json:
        print_json(answer)
        return
    days = f", {answer['days']:g} days" if answer["days"] is not None else ""
    typer.echo(f"{answer['control_units']:,} units in control and {answer['treatment_units']:,} in treatment{days}.")
    typer.echo(
        f"With 30 looks up to a declared horizon the power is {answer['power_with_30_looks']:.0%} in place of {answer['power']:.0%}."
    )


@experiment_app.command(epilog="Example: flexoraa experiment status --tenant asha_homes --json")
def status(tenant: Tenant = None, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """How each experiment in the configuration stands: what is served, and why."""
    from orchestration.experiment_command import open_bench

    with open_bench(Settings.load(home), None if as_of is None else moment(as_of)) as bench:
        rows = bench.status(tenant)
        refuse_unknown(home, tenant, rows)
    if json:
        print_json({"experiments": rows})
    elif not rows:
        typer.echo("no experiment is configured")
    else:
        _print(rows)


@experiment_app.command(
    epilog='Example: flexoraa experiment kill greeting --tenant asha_homes --by ravi --reason "wrong price in the text"'
)
def kill(name: Name, by: By, reason: Reason, tenant: Tenant = None, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Stop an experiment at once: control to everybody. An operator may; a second kill changes nothing."""
    from orchestration.experiment_command import open_bench

    with open_bench(Settings.load(home), None if as_of is None else moment(as_of)) as bench:
        _tell(bench.kill(name, tenant, by, reason), is_json=json)


@experiment_app.command(epilog='Example: flexoraa experiment resume greeting --tenant asha_homes --by meera --reason "text corrected"')
def resume(name: Name, by: By, reason: Reason, tenant: Tenant = None, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """End a kill. Only a manager or an admin may; the experiment begins anew, with units and a level of its own."""
    from orchestration.experiment_command import open_bench

    with open_bench(Settings.load(home), None if as_of is None else moment(as_of)) as bench:
        _tell(bench.resume(name, tenant, by, reason), is_json=json)


@experiment_app.command(epilog="Example: flexoraa experiment report greeting --tenant asha_homes")
def report(
    name: Annotated[str | None, typer.Argument(help="An experiment's id; else all of them.")] = None,
    tenant: Tenant = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the pages anew from the warehouse as it is, and say where they lie."""
    from orchestration.experiment_command import write_reports

    pages = write_reports(Settings.load(home), name, tenant)
    if json:
        print_json({"pages": pages})
        return
    for page in pages:
        typer.echo(page)


def _tell(answer: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        print_json(answer)
        return
    done = "" if answer["is_new"] else " already, nothing changed"
    typer.echo(f"{answer['experiment_id']} of {answer['tenant_id']} is {answer['verdict']}{done}; served: {answer['serve']}.")


def _print(rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    from orchestration.tables import print_table

    names = ("tenant_id", "experiment_id", "status", "serve", "looks", "power", "verdict")
    shown = [{name: row[name] for name in names} | {"power": "" if row["power"] is None else f"{row['power']:.0%}"} for row in rows]
    print_table(pa.Table.from_pylist(shown), "table")
