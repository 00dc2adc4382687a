"""`flexoraa key …` and `flexoraa doctor`: their options and what they print.

Here belongs reading the command line. Not here: any work (`key_command`, `doctor`).
"""

import typer

from orchestration.cli_options import Home, Json, Quiet, print_json
from orchestration.resources.settings import Settings

key_app = typer.Typer(help="The master key, under which all other keys are wrapped.", no_args_is_help=True)


@key_app.callback()
def key() -> None:
    """The master key, under which all other keys are wrapped."""


@key_app.command(epilog="Example: flexoraa key rotate")
def rotate(home: Home = None, quiet: Quiet = False, json: Json = False) -> None:
    """Make a new master key and wrap every key under it; the lake stays as it is. Killed at any moment, run it again."""
    from orchestration.key_command import rotate as work
    from orchestration.resources.progress import TerminalProgress

    told = work(Settings.load(home), TerminalProgress(quiet=quiet))
    if json:
        print_json(told)
        return
    typer.echo(f"{sum(told['keys'].values())} keys are wrapped under the new master key ({told['is']}), which lies in {told['source']}")
    if told["source"] == "environment":
        typer.echo("take FLEXORAA_OLD_MASTER_KEY out of the environment now")
    typer.echo("start flexoraa up and every other process of ours again; make a backup: older ones open with the old key in their own keys")


def doctor(home: Home = None, json: Json = False) -> None:
    """Look whether the installation is as it should be: permissions, keys, listeners, versions, disk, database. Changes nothing."""
    from orchestration.doctor import examine, worst

    findings = examine(Settings.load(home))
    if json:
        print_json({"healthy": worst(findings) == 0, "checks": [each._asdict() for each in findings]})
    else:
        for each in findings:
            typer.echo(f"{each.status:<5} {each.check}: {each.detail}" + (f"\n      → {each.do}" if each.do else ""))
    raise typer.Exit(worst(findings))
