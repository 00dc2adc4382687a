"""`flexoraa audit …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`audit_command`).
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

audit_app = typer.Typer(help="Who did what: a log that shows when it was tampered with.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")]
Witness = Annotated[Path | None, typer.Option("--witness", help="Roots written down elsewhere; else FLEXORAA_AUDIT_WITNESS, if set.")]


@audit_app.command("list", epilog="Example: flexoraa audit list --tenant asha_homes --action erasure")
def list_entries(
    tenant: Tenant = None,
    action: Annotated[str | None, typer.Option(help="Only actions that begin so.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this moment on (ISO 8601 with offset).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List entries, the newest first."""
    from orchestration.audit_command import listed

    rows = listed(Settings.load(home), tenant, action, None if since is None else moment(since), limit)
    refuse_unknown(home, tenant, rows)
    if not rows and not json:
        typer.echo("no entry")
        return
    import pyarrow as pa

    from orchestration.tables import print_table

    names = ("entry", "recorded_at", "actor", "action", "subject") if not json else tuple(rows[0]) if rows else ()
    if json:
        print_json({"entries": rows})
    else:
        print_table(pa.Table.from_pylist([{name: row[name] for name in names} for row in rows]), "table")


@audit_app.command(epilog="Example: flexoraa audit export --out audit.ndjson")
def export(
    out: Annotated[Path, typer.Option(help="The file to write, for `flexoraa audit verify --offline`.")],
    tenant: Tenant = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the log to a file that can be verified anywhere."""
    from orchestration.audit_command import exported

    told = exported(Settings.load(home), out, tenant)
    if json:
        print_json(told)
    else:
        typer.echo(f"{out}: {sum(told['entries'].values())} entries of {len(told['entries'])} chains, signed by {told['public_key']}")


@audit_app.command(epilog="Example: flexoraa audit verify --offline audit.ndjson --witness /mnt/elsewhere/roots.ndjson")
def verify(
    offline: Annotated[Path | None, typer.Option(help="An export; then no installation is needed.")] = None,
    proof: Annotated[Path | None, typer.Option(help="A proof of `flexoraa audit prove`; then no installation is needed.")] = None,
    witness: Witness = None,
    key: Annotated[str | None, typer.Option(help="The installation's public key, as it told you earlier.")] = None,
    tenant: Tenant = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Find every edit, deletion, truncation, reorder and fork; ends with 1 where there is one."""
    from orchestration.audit_command import verified, verified_file, verified_proof

    if offline is not None and proof is not None:
        raise typer.BadParameter("--offline and --proof: which is meant?")
    if offline is not None:
        told = verified_file(offline, key, witness)
    elif proof is not None:
        told = verified_proof(proof, key, witness)
    else:
        told = verified(Settings.load(home), tenant, witness)
    if json:
        print_json(told)
    else:
        _print_verified(told, is_known=key is not None or witness is not None or (offline is None and proof is None))
    raise typer.Exit(0 if told["holds"] else 1)


@audit_app.command(epilog="Example: flexoraa audit prove asha_homes/17 --out proof.json")
def prove(
    entry: Annotated[str, typer.Argument(help="TENANT/NUMBER, as `flexoraa audit list` shows it.")],
    out: Annotated[Path | None, typer.Option(help="Where to write it; else standard output.")] = None,
    home: Home = None,
) -> None:
    """Prove that an entry is in the log, without showing any other."""
    from orchestration.audit_command import proof_text, proved

    text = proof_text(proved(Settings.load(home), entry))
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


@audit_app.command(epilog="Example: flexoraa audit witness /mnt/elsewhere/roots.ndjson")
def witness(
    file: Annotated[Path | None, typer.Argument(help="Best on another machine's disk; else FLEXORAA_AUDIT_WITNESS.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Append the days' roots to a file elsewhere: what it holds can then be neither rewritten nor cut off unseen."""
    from orchestration.audit_command import witnessed

    told = witnessed(Settings.load(home), file)
    if json:
        print_json(told)
    else:
        typer.echo(f"{told['witness']}: {told['written']} roots added, {told['roots']} in all")


def _print_verified(told: dict[str, Any], *, is_known: bool) -> None:
    if told["holds"]:
        what = f"{sum(told['entries'].values())} entries" if "entries" in told else f"the entry, of {told['day']},"
        typer.echo(f"{what} hold, signed by {told['public_key']}")
        if not is_known:
            typer.echo("whose key that is, this file cannot say: compare it, or give --key or --witness", err=True)
        return
    for each in told["findings"]:
        typer.echo(f"{each['place']}: {each['problem']}")
