"""`flexoraa reports`: build the pages now, or serve them.

Here belongs reading the command line. Not here: the pages (`assets.site`), serving (`orchestration.report_server`).
"""

import time
from typing import Annotated

import typer

from orchestration.cli_options import Home, Json, print_json
from orchestration.resources.settings import Settings

reports_app = typer.Typer(help="The report site: pages for people, made by every run.", no_args_is_help=True)


@reports_app.command(epilog="Example: flexoraa reports build")
def build(home: Home = None, json: Json = False) -> None:
    """Make the pages anew from what the warehouse holds; every run does so by itself."""
    from orchestration.report_server import build as built

    settings = Settings.load(home)
    missing = built(settings)
    index = settings.reports / "index.html"
    if json:
        print_json({"index": str(index), "unanswered": missing})
        return
    for each in missing:
        typer.echo(f"not answered: {each}", err=True)
    typer.echo(str(index))


@reports_app.command(epilog="Example: flexoraa reports serve --port 3001")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="On loopback; 0 takes a free one and says which.")] = 3001,
    home: Home = None,
) -> None:
    """Serve the pages on this machine until interrupted; `flexoraa up` does so too."""
    from orchestration.report_server import HOST, serving
    from orchestration.up import refuse_busy

    settings = Settings.load(home)
    if not (settings.reports / "index.html").exists():
        from orchestration.report_server import build as built

        built(settings)
    if port:
        refuse_busy(HOST, port, "--port")
    with serving(settings.reports, port) as address:
        typer.echo(f"reports: {address} · stop with Ctrl-C", err=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return
