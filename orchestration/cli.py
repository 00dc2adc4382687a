"""The `flexoraa` command.

Here belongs reading the command line and turning errors into one sentence and an exit code. Each command imports what it needs when it
runs, so that `--help` is quick. Not here: any work.
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from orchestration.access_cli import conversation_app, role_app
from orchestration.actions_cli import actions_app
from orchestration.audit_cli import audit_app
from orchestration.backup_cli import backup, restore
from orchestration.cli_options import Format, Home, Json, Quiet, moment, print_json
from orchestration.drift_cli import drift_app
from orchestration.experiment_cli import experiment_app
from orchestration.gdpr_cli import gdpr_app
from orchestration.identity_cli import identity_app
from orchestration.key_cli import doctor, key_app
from orchestration.lake_cli import lake_app
from orchestration.model_cli import model_app
from orchestration.pull_cli import pull_app
from orchestration.quarantine_cli import quarantine_app
from orchestration.reports_cli import reports_app
from orchestration.resources.settings import Settings
from orchestration.retention_cli import retention_app
from orchestration.signals_cli import signals_app

app = typer.Typer(
    name="flexoraa",
    help="The data platform of Flexoraa Intelligence OS. Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 done, "
    "but this run put something in quarantine, left segments waiting, or a check warned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
tenant_app = typer.Typer(help="Tenants and their dated configuration.", no_args_is_help=True)
app.add_typer(tenant_app, name="tenant")
app.add_typer(gdpr_app, name="gdpr")
app.add_typer(retention_app, name="retention")
app.add_typer(actions_app, name="actions")
app.add_typer(identity_app, name="identity")
app.add_typer(experiment_app, name="experiment")
app.add_typer(drift_app, name="drift")
app.add_typer(model_app, name="model")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(lake_app, name="lake")
app.add_typer(signals_app, name="signals")
app.add_typer(pull_app, name="pull")
app.add_typer(reports_app, name="reports")
app.add_typer(audit_app, name="audit")
app.add_typer(key_app, name="key")
app.add_typer(role_app, name="role")
app.add_typer(conversation_app, name="conversation")


@app.command(epilog="Example: flexoraa run --as-of 2026-11-22T18:00:00Z")
def run(
    as_of: Annotated[str | None, typer.Option(help="The moment to speak of (ISO 8601 with offset); else now.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Make every model anew, not only what is touched.")] = False,
    known_at: Annotated[
        str | None,
        typer.Option(help="Build from what was received by then, and publish and send nothing; without --as-of also its moment."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Where to build: duckdb, postgres or spark; the home keeps to it. Else its last, at first duckdb.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing: what is due is gated, and stays requested.")] = False,
    home: Home = None,
    quiet: Quiet = False,
) -> None:
    """Take in, build, decide and deliver everything pending, once; print a JSON summary."""
    from orchestration.resources.clock import FixedClock, SystemClock
    from orchestration.resources.dagster_home import prepare_dagster
    from orchestration.resources.engines import require
    from orchestration.resources.platform import open_platform
    from orchestration.resources.progress import TerminalProgress

    known = None if known_at is None else moment(known_at)
    at = moment(as_of) if as_of is not None else known or SystemClock().now()
    settings = Settings.load(home, engine=engine)
    settings = replace(settings, dry_run=settings.dry_run or dry_run)
    require(settings)
    if engine is not None:
        settings.keep_engine()
    clock = FixedClock(at)  # one run speaks of one moment
    with open_platform(settings, clock, TerminalProgress(quiet=quiet), known) as platform:
        prepare_dagster(settings, platform.state.libpq_url)
        platform.dbt.warm()
        from orchestration.run import run_everything  # imports Dagster: 4 s, after its home is set

        summary = run_everything(platform, known, rebuild=full_refresh)
    typer.echo(summary.json())
    raise typer.Exit(summary.exit_code())


@app.command(epilog='Example: flexoraa sql "select tier, count(*) from marts.dim_leads group by 1" --format csv')
def sql(
    statement: Annotated[str, typer.Argument(help="One query; tables are marts.*, lake.*, reference.*")],
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table,
    home: Home = None,
) -> None:
    """Ask the warehouse, in the SQL of its engine; reading only."""
    from orchestration.resources.engines import ask
    from orchestration.tables import print_table

    print_table(ask(Settings.load(home), statement), format.value)


@app.command(epilog="Example: flexoraa status --json")
def status(home: Home = None, json: Json = False) -> None:
    """What is held, what waits, what was refused, what was sent."""
    from orchestration.status import print_status

    print_status(Settings.load(home), as_json=json)


@tenant_app.command(epilog="Example: flexoraa tenant apply examples/tenants.yaml")
def apply(
    file: Annotated[Path, typer.Argument(help="A tenants file; its schema is docs/tenants.schema.json.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Register tenants with all that belongs to them; a file with any mistake is refused whole."""
    from orchestration.tenant_command import apply_result, apply_tenants

    if json:
        print_json(asdict(apply_result(Settings.load(home), file)))
    else:
        typer.echo(apply_tenants(Settings.load(home), file))


@tenant_app.command(epilog="Example: flexoraa tenant hooks")
def hooks(format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table, home: Home = None) -> None:
    """Where each vendor is to send its webhooks, and the verify tokens to enter at Meta; keep these to yourself."""
    from orchestration.collector.hooks import hooks as rows
    from orchestration.tables import print_table

    print_table(rows(Settings.load(home)), format.value)


@app.command(epilog="Example: flexoraa simulate --tenants 3 --leads 60 --days 14 --seed 7 --out traffic")
def simulate(  # noqa: PLR0913 — one parameter an option
    out: Annotated[Path, typer.Option(help="Folder for tenants.yaml, secrets, inbox segments and truth.json.")],
    tenants: Annotated[int, typer.Option(min=1)] = 3,
    leads: Annotated[int, typer.Option(min=1, help="Leads of each tenant.")] = 60,
    others: Annotated[int, typer.Option(min=0, help="People of each tenant on each of Instagram, Messenger, Gmail and Calendly.")] = 8,
    days: Annotated[int, typer.Option(min=7, help="From 12 on, every story has room.")] = 14,
    seed: int = 1,
    end_at: Annotated[str, typer.Option(help="The last moment of the traffic.")] = "2026-11-20T12:00:00Z",
    receiver_url: Annotated[str | None, typer.Option(help="Where tenants want their alerts; else they have no destination.")] = None,
    huge_body: Annotated[bool, typer.Option("--huge-body", help="Plant one body of more than 10 MB.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write signed traffic of several tenants in the vendors' shapes, with the truth that was planted in it."""
    from orchestration.resources.progress import TerminalProgress
    from orchestration.simulator import simulate as write

    manifest = write(
        out,
        tenants=tenants,
        leads=leads,
        others=others,
        days=days,
        seed=seed,
        end_at=moment(end_at),
        receiver_url=receiver_url,
        is_huge_body_planted=huge_body,
        progress=TerminalProgress(quiet=quiet),
    )
    if json:
        made = {"segments": manifest.segments, "lines": manifest.lines, "webhooks": manifest.bodies}
        print_json({"out": str(out)} | made | {"planted": manifest.totals()})
        return
    typer.echo(f"{out}: {manifest.segments} segments, {manifest.lines:,} lines, {manifest.bodies:,} webhooks; truth in truth.json")


@app.command(epilog="Example: flexoraa replay persuasion_for_good ../shared/data/persuasion_for_good")
def replay(
    name: Annotated[str, typer.Argument(help="Which data set.")],
    folder: Annotated[Path, typer.Argument(help="Where it lies.")],
    home: Home = None,
) -> None:
    """Turn a set of real dialogues into signed traffic in the inbox, with its tenant applied."""
    from orchestration.replay import replay_into

    typer.echo(replay_into(Settings.load(home), name, folder))


@app.command(epilog="Example: flexoraa up --port 3000 --hooks-port 8080")
def up(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI, on loopback.")] = 3000,
    hooks_port: Annotated[int, typer.Option(help="Port of the collector.")] = 8080,
    reports_port: Annotated[int, typer.Option(help="Port of the reports, on loopback.")] = 3001,
    host: Annotated[str, typer.Option(help="Where the collector listens; UI and reports stay on loopback.")] = "127.0.0.1",
    home: Home = None,
) -> None:
    """Run PostgreSQL, the collector, the reports, the Dagster UI and its daemon until interrupted."""
    from orchestration.up import serve

    raise typer.Exit(serve(Settings.load(home), port, host, hooks_port, reports_port))


@app.command(epilog="Example: flexoraa collect --port 8080")
def collect(
    host: Annotated[str, typer.Option(help="Where to listen; put a proxy with TLS in front, and let it pass /hooks/ alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one and says which.")] = 8080,
    rotate_bytes: Annotated[int, typer.Option(min=1, help="Size from which a segment is closed.")] = 64 << 20,
    rotate_seconds: Annotated[float, typer.Option(min=0.1, help="Age from which a segment is closed.")] = 10.0,
    queue: Annotated[int, typer.Option(min=1, help="Webhooks that may wait for the disk at once, of all tenants.")] = 4096,
    weight: Annotated[
        list[str] | None, typer.Option(help="TENANT=NUMBER: its part of the queue against others' 1; may be repeated.")
    ] = None,
    home: Home = None,
) -> None:
    """Receive webhooks over HTTP into the inbox until interrupted; /health and /metrics beside them."""
    from orchestration.collector.server import Options, collect, weights

    collect(Settings.load(home), Options(host, port, rotate_bytes, rotate_seconds, queue, weights(weight or [])))


app.command(epilog="Example: flexoraa doctor --json")(doctor)
app.command(epilog="Example: flexoraa backup /backups/2026-11-23")(backup)
app.command(epilog="Example: flexoraa restore /backups/2026-11-23 --home /srv/flexoraa --erasures /mnt/elsewhere/erasures.ndjson")(restore)


@app.command(epilog="Example: flexoraa demo --home /tmp/demo")
def demo(
    home: Annotated[Path, typer.Option(help="Folder of the demo; an earlier demo there is replaced.")] = Path(".flexoraa-demo"),
    quiet: Quiet = False,
) -> None:
    """Simulated tenants, from webhooks to delivered actions, with what was planted beside what was found."""
    from orchestration.demo import run_demo

    raise typer.Exit(run_demo(home, quiet=quiet))


def main() -> None:
    """Entry point: a known error is one sentence on standard error."""
    try:
        app()
    except Exception as error:
        from orchestration.errors import exit_code  # here: it knows every adapter, so it costs 2 s

        code = exit_code(error)
        if code is None:
            raise
        typer.echo(f"flexoraa: {error}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
