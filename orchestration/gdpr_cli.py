"""`flexoraa gdpr …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`privacy_office`, `privacy_run`).
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, Quiet, moment, print_json, refuse_unknown
from orchestration.resources.settings import Settings

gdpr_app = typer.Typer(help="Requests of people about their own data: made, verified, decided, executed, proven.", no_args_is_help=True)


class Kind(StrEnum):
    """What is asked for."""

    access = "access"
    erasure = "erasure"
    rectification = "rectification"


Id = Annotated[str, typer.Argument(help="A request's id; may be shortened.")]
By = Annotated[str, typer.Option("--by", help="Who does this: the id of one of the tenant's people.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept sealed under the person's key, so it goes with the person.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The moment to speak of (ISO 8601 with offset); else now.")]


@gdpr_app.command(epilog='Example: flexoraa gdpr request --tenant asha_homes --person lead_3kq7 --by ravi --reason "her mail of 3 March"')
def request(  # noqa: PLR0913 — one parameter an option
    tenant: Annotated[str, typer.Option("--tenant", help="Whose lead the person is.")],
    person: Annotated[
        str, typer.Option("--person", help="A lead or contact point, a number or an address; - reads it from standard input.")
    ],
    by: By,
    reason: Reason,
    kind: Annotated[Kind, typer.Option(help="What is asked for.")] = Kind.erasure,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Note a request. Nothing happens before its identity is verified and a manager has approved it."""
    meant = sys.stdin.readline() if person == "-" else person
    with _office(home, as_of) as office:
        made = office.request(tenant, kind.value, meant, by, reason)
        _tell(office, made, is_json=json)


@gdpr_app.command(epilog="Example: flexoraa gdpr verify-identity pr_5f2c --by ravi")
def verify_identity(id: Id, by: By, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Say that the person was asked and is who it claims to be."""
    with _office(home, as_of) as office:
        _tell(office, office.verify_identity(id, by), is_json=json)


@gdpr_app.command(epilog='Example: flexoraa gdpr approve pr_5f2c --by meera --reason "no invoice is open"')
def approve(
    id: Id,
    by: By,
    reason: Reason,
    late: Annotated[str | None, typer.Option("--late", help="After the deadline: why it is late.")] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Approve a request: a manager or an admin, never who made it. It is executed by the next tick of Dagster, or by `run`."""
    with _office(home, as_of) as office:
        _tell(office, office.decide(id, by, reason, is_approval=True, late=late), is_json=json)


@gdpr_app.command(epilog='Example: flexoraa gdpr deny pr_5f2c --by meera --reason "the identity could not be verified"')
def deny(id: Id, by: By, reason: Reason, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Deny a request, with the reason that the person is told."""
    with _office(home, as_of) as office:
        _tell(office, office.decide(id, by, reason, is_approval=False), is_json=json)


@gdpr_app.command(epilog="Example: flexoraa gdpr run pr_5f2c --by ravi")
def run(
    ids: Annotated[list[str] | None, typer.Argument(help="Requests; else every approved erasure.")] = None,
    by: By = "system:command",
    as_of: AsOf = None,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Execute erasures, or go on where a run stopped: erase, verify, certify. Whoever approved may not.

    Exit code 3: a verification found something; the request stays open, and the place is named.
    """
    from orchestration.gdpr_command import open_execution

    with open_execution(Settings.load(home), _clock(as_of), quiet=quiet) as (office, execution):
        wanted = [office.find(each).request_id for each in ids or ()] or office.approved()
        done = execution.run(wanted, by)
    rows = [
        {"request_id": each.request_id, "tenant_id": each.tenant_id, "state": each.state, "hits": each.hits, "places": list(each.places)}
        | ({"refused": each.code, "why": each.message} if each.code else {})
        for each in done
    ]
    if json:
        print_json({"requests": rows})
    else:
        for each in done:
            typer.echo(f"{each.request_id} of {each.tenant_id} is {each.state}" + (f": {each.message}" if each.message else ""))
            for place in each.places:
                typer.echo(f"  found {place['form']} in {place['place']}, {place['count']} times", err=True)
        if not done:
            typer.echo("no approved erasure waits")
    if any(each.hits for each in done):
        raise typer.Exit(3)
    if any(each.code for each in done):
        raise typer.Exit(2)


@gdpr_app.command(epilog="Example: flexoraa gdpr status --tenant asha_homes --json")
def status(
    id: Annotated[str | None, typer.Argument(help="One request, with its steps; else all that are open.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """How requests stand, and how many days they have left."""
    with _office(home, as_of) as office:
        if id is not None:
            found = office.find(id)
            answer = office.row(found, office.clock.now()) | {"steps": office.requests.steps(found.request_id)}
            answer["reason"] = office.requests.reason(found)
            print_json(answer)
            return
        rows = office.status(tenant, is_all=all)
        refuse_unknown(home, tenant, rows)
    if json:
        print_json({"requests": rows})
    elif not rows:
        typer.echo("no request is open")
    else:
        _table(rows)


@gdpr_app.command(epilog="Example: flexoraa gdpr certificate pr_5f2c > certificate.json")
def certificate(id: Id, home: Home = None, json: Json = False) -> None:
    """Print the newest certificate of a request: what was searched, what was found, and the signature."""
    from orchestration.verifier.certificate import is_signed

    with _office(home, None) as office:
        found = office.certificate(id)
    is_valid = is_signed(found.body, found.signature, found.public_key)
    if json:
        print_json({"body": found.body, "signature": found.signature, "public_key": found.public_key, "is_valid": is_valid})
    else:
        typer.echo(found.body)
        typer.echo(f"signature {found.signature}\npublic key {found.public_key} ({'valid' if is_valid else 'NOT VALID'})", err=True)
    if not is_valid:
        raise typer.Exit(1)


@gdpr_app.command(epilog="Example: flexoraa gdpr export pr_5f2c --by ravi --out asha.zip")
def export(
    id: Id,
    by: By,
    out: Annotated[Path, typer.Option("--out", help="The ZIP to write, outside the home; mode 0600, for it is in plain.")],
    as_of: AsOf = None,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Answer an approved access request: all that is held on the person, as JSON and CSV with an inventory and hashes."""
    from orchestration.gdpr_command import open_execution
    from orchestration.privacy_export import export as write

    with open_execution(Settings.load(home), _clock(as_of), quiet=quiet) as (office, execution):
        answer = write(office, execution, office.find(id), by, out)
    if json:
        print_json(answer)
        return
    typer.echo(f"{out}: {answer['files']} files, {answer['rows']} rows; {answer['request_id']} is {answer['state']}")


def _office(home: Path | None, as_of: str | None) -> Any:
    from orchestration.gdpr_command import open_office

    return open_office(Settings.load(home), _clock(as_of))


def _clock(as_of: str | None) -> Any:
    if as_of is None:
        return None
    from orchestration.resources.clock import FixedClock

    return FixedClock(moment(as_of))


def _tell(office: Any, made: Any, *, is_json: bool) -> None:
    if is_json:
        print_json(office.row(made, office.clock.now()))
        return
    typer.echo(f"{made.request_id}: {made.kind} of {made.lead_id} of {made.tenant_id} is {made.state}, due {made.due_at.date()}.")


def _table(rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    from orchestration.tables import print_table

    names = ("request_id", "tenant_id", "kind", "state", "lead_id", "days_left", "stopped_at")
    print_table(pa.Table.from_pylist([{name: row[name] for name in names} for row in rows]), "table")
