"""`flexoraa signals`: train, read.

Here belongs reading the command line. Not here: the work (`orchestration.signals_command`).
"""

from typing import Annotated

import typer

from orchestration.cli_options import Home, Json
from orchestration.resources.settings import Settings

signals_app = typer.Typer(help="What messages say.", no_args_is_help=True)


@signals_app.command("train", epilog="Example: flexoraa signals train --json")
def signals_train(home: Home = None, json: Json = False) -> None:
    """Fit the shipped models anew and keep them in the home; a run does it where they are missing."""
    from orchestration.signals_command import train

    train(Settings.load(home), as_json=json)


@signals_app.command("read", epilog='Example: flexoraa signals read "mera budget 40-50k hai, agle hafte chahiye"')
def signals_read(
    text: Annotated[str, typer.Argument(help="A message; it is kept nowhere.")],
    outbound: Annotated[bool, typer.Option("--outbound", help="It is ours: only language and persuasion principle are read.")] = False,
    timezone: Annotated[str, typer.Option(help="The tenant's, IANA.")] = "Asia/Kolkata",
    currency: Annotated[str, typer.Option(help="The tenant's, ISO 4217.")] = "INR",
    region: Annotated[str, typer.Option(help="The tenant's, ISO 3166.")] = "IN",
    home: Home = None,
) -> None:
    """What a message says, as JSON."""
    from orchestration.signals_command import read

    read(Settings.load(home), text, (timezone, currency, region), is_inbound=not outbound)
