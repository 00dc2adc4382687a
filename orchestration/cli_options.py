"""What all commands share: options, moments, JSON.

Here belongs what more than one module of commands needs. Not here: any command.
"""

from datetime import UTC, datetime
from enum import StrEnum
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

Home = Annotated[Path | None, typer.Option("--home", help="The installation's folder; else FLEXORAA_HOME, else ./.flexoraa.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]


class Format(StrEnum):
    """How an answer is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def print_json(value: dict[str, Any]) -> None:
    """One indented object on standard output; moments in ISO 8601."""
    typer.echo(dumps(value, indent=2, default=str))


def refuse_unknown(home: Path | None, tenant: str | None, *found: object) -> None:
    """Where nothing was found of a tenant that somebody named: is there such a tenant at all?

    Raises:
        SettingsError: there is none.
    """
    if not tenant or any(found):
        return
    from orchestration.resources.settings import Settings, SettingsError  # here: `--help` wants neither
    from orchestration.resources.state import open_state

    with open_state(Settings.load(home)) as state, state.psycopg() as connection:
        known = [row[0] for row in connection.execute("select tenant_id from ops.tenants where tenant_id <> '' order by 1")]
    if tenant not in known:
        raise SettingsError(f"there is no tenant {tenant!r}; there are {', '.join(known) or 'none yet: flexoraa tenant apply makes them'}")


def moment(text: str) -> datetime:
    """A moment in UTC, from ISO 8601 with an offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time, such as 2026-11-22T18:00:00Z") from error
    if found.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; add Z for UTC, or +05:30")
    return found.astimezone(UTC)
