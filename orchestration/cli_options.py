"""What several commands of `flexoraa` share: options, moments, JSON.

Here belongs reading and printing. Not here: commands (`cli`, `pull_cli`).
"""

from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

Home = Annotated[Path | None, typer.Option("--home", help="The installation's folder; else FLEXORAA_HOME, else ./.flexoraa.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]


def print_json(value: dict[str, Any]) -> None:
    """One indented object on standard output."""
    typer.echo(dumps(value, indent=2))


def moment(text: str) -> datetime:
    """A moment as it is typed: ISO 8601 with an offset, in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time, such as 2026-11-22T18:00:00Z") from error
    if found.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; add Z for UTC, or +05:30")
    return found.astimezone(UTC)
