"""Options that commands share, and how an answer is printed as JSON.

Here belongs what more than one file of commands needs. Not here: any command.
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
    """One indented object on standard output."""
    typer.echo(dumps(value, indent=2))


def moment_of(text: str) -> datetime:
    """A moment as people write it, in UTC; wrong use where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time, such as 2026-11-22T18:00:00Z") from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; add Z for UTC, or +05:30")
    return moment.astimezone(UTC)
