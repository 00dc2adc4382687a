"""`flexoraa lake`: list, compact.

Here belongs reading the command line. Not here: the work (`orchestration.lake_command`).
"""

from typing import Annotated

import typer

from orchestration.cli_options import Home, Json, Quiet
from orchestration.resources.settings import Settings

lake_app = typer.Typer(help="The files of the lake.", no_args_is_help=True)


@lake_app.command("list", epilog="Example: flexoraa lake list --json")
def lake_list(home: Home = None, json: Json = False) -> None:
    """Files, rows, bytes and schema versions of each table."""
    from orchestration.lake_command import print_lake

    print_lake(Settings.load(home), as_json=json)


@lake_app.command("compact", epilog="Example: flexoraa lake compact --min-files 2")
def lake_compact(
    min_files: Annotated[int, typer.Option(min=2, help="How many small files a date must have to be merged.")] = 8,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Merge small files into larger ones (FLEXORAA_LAKE_FILE_MB each); waits for a run that is on its way."""
    from orchestration.lake_command import compact
    from orchestration.resources.progress import TerminalProgress

    compact(Settings.load(home), min_files, TerminalProgress(quiet=quiet), as_json=json)
