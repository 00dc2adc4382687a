"""The state's database as files: pg_dump and pg_restore of the wheel, all of one moment, the vault's rows apart.

Here belongs calling these programs. Not here: which file lies where (`orchestration.backup.contents`).
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestration.backup.contents import BackupError
from orchestration.resources.postgres import programs
from orchestration.resources.state import State

_SCHEMAS = ("ops", "serving", "vault", "dagster", "mlflow")
VAULT_DUMP = "vault.dump"


@contextmanager
def one_moment(state: State) -> Iterator[tuple[str, str]]:
    """A snapshot for several dumps, and the moment of which it speaks, in ISO 8601."""
    with state.owner() as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        row = connection.execute(
            "select pg_export_snapshot(), to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        ).fetchone()
        if row is None:
            raise BackupError("the database gave no snapshot")
        yield str(row[0]), str(row[1])


def dump(state: State, snapshot: str, target: Path) -> None:
    """Everything but the vault's rows."""
    schemas = [f"--schema={each}" for each in _SCHEMAS]
    _dump(state, target, ["--exclude-table-data=vault.*", *schemas, f"--snapshot={snapshot}"])


def dump_vault(state: State, snapshot: str, target: Path) -> None:
    """The vault's rows alone."""
    _dump(state, target, ["--data-only", "--schema=vault", f"--snapshot={snapshot}"])


def restore(libpq_url: str, *sources: Path) -> None:
    """Into an empty database: each file whole or not at all.

    Raises:
        BackupError: the database refused something; its words are in the message.
    """
    for source in sources:
        command = [_program("pg_restore"), "--single-transaction", "--exit-on-error", "--no-owner", f"--dbname={libpq_url}", str(source)]
        _run(command, f"the database could not be restored from {source}")


def _dump(state: State, target: Path, arguments: Sequence[str]) -> None:
    command = [_program("pg_dump"), "--format=custom", f"--dbname={state.libpq_url}", f"--file={target}", *arguments]
    _run(command, "the database could not be backed up")
    target.chmod(0o600)


def _run(command: list[str], failed: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = done.stderr.strip() or f"{Path(command[0]).name} ended with {done.returncode}"
        raise BackupError(f"{failed}: {words}")


def _program(name: str) -> str:
    return str(programs() / name)
