"""`flexoraa backup` and `flexoraa restore`: their options and what they print.

Here belongs reading the command line. Not here: any work (`orchestration.backup`).
"""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli_options import Home, Json, Quiet, print_json
from orchestration.resources.settings import Settings


def backup(
    path: Annotated[Path, typer.Argument(help="The folder to make; it must not exist yet.")],
    keys: Annotated[
        Path | None, typer.Option(help="The file of keys, mode 0600; else PATH.keys. Keep it elsewhere than the backup.")
    ] = None,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Back up an installation: database, lake, warehouse and inbox in a folder, all keys in a file apart."""
    from orchestration.backup.make import make
    from orchestration.resources.progress import TerminalProgress

    told = make(Settings.load(home), path, keys, TerminalProgress(quiet=quiet))
    if json:
        print_json(told)
        return
    typer.echo(f"{told['backup']}: {told['files']} files, {told['bytes'] / 1e6:,.1f} MB, as of {told['as_of']}")
    master = "the master key with them" if told["is_master_key_in_keys"] else "without the master key, which the environment holds"
    typer.echo(f"{told['keys']}: the keys, {master}; keep it apart: whoever has both can read everybody")


def restore(
    path: Annotated[Path, typer.Argument(help="A folder of `flexoraa backup`.")],
    keys: Annotated[Path | None, typer.Option(help="Its file of keys; else PATH.keys.")] = None,
    erasures: Annotated[
        Path | None, typer.Option(help="The newest erasure log: FLEXORAA_ERASURE_LOG, or erasures.ndjson of the home that was lost.")
    ] = None,
    no_erasures: Annotated[bool, typer.Option("--no-erasures", help="Nobody was erased since the backup was made.")] = False,
    home: Home = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Restore a backup into an empty home; whoever was erased since stays erased. Killed at any moment, run it again."""
    from orchestration.backup.contents import BackupError
    from orchestration.backup.restore import Sources
    from orchestration.backup.restore import restore as work
    from orchestration.resources.progress import TerminalProgress

    settings = Settings.load(home, is_restoring=True)
    log = erasures or (settings.erasure_log if settings.erasure_log is not None and settings.erasure_log.exists() else None)
    if erasures is not None and no_erasures:
        raise typer.BadParameter("--erasures and --no-erasures: which is meant?")
    if log is None and not no_erasures:
        raise BackupError("who was erased since the backup? Give --erasures with the newest erasure log, or --no-erasures if nobody was")
    sources = Sources(path, keys or path.with_name(f"{path.name}.keys"), None if no_erasures else log)
    told = work(settings, sources, TerminalProgress(quiet=quiet))
    if json:
        print_json(told)
        return
    typer.echo(f"{told['home']}: {told['files']} files as of {told['as_of']}")
    typer.echo(f"{told['erasures_known']} erased points are known, {told['erased_again']} of them were in the backup and are erased again")
    if told["actions_in_doubt"]:
        typer.echo(
            f"{told['actions_in_doubt']} actions may have been sent since the backup: they are unknown now and are not sent by themselves"
        )
