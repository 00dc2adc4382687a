"""The erasure log outside the database: who was erased, by surrogate, so that a restore of an older backup forgets them again.

Here belongs the file, a copy of the table `ops.erasures`. Not here: erasing (`orchestration.erasure`), erasing again (`forgetting`).
"""

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from psycopg import Connection

from orchestration.backup.contents import BackupError
from orchestration.resources.durable import make_durable
from orchestration.resources.settings import Settings
from orchestration.resources.state import State

NAME = "erasures.ndjson"
_FIELDS = "tenant_id, point_id, lead_id, request_id, erased_at"


class Erased(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """One contact point that was erased."""

    tenant_id: str
    point_id: str
    lead_id: str
    request_id: str
    erased_at: datetime


def log_of(settings: Settings) -> Path:
    """Where the log lies: where `FLEXORAA_ERASURE_LOG` says, best on another machine's disk, else in the home."""
    return settings.erasure_log or settings.home / NAME


def keep_log(state: State, settings: Settings) -> int:
    """Append what the log does not have yet, durably; returns how many. Called when somebody was erased, by backups and by witnesses."""
    with state.psycopg() as connection:
        known = known_to(connection)
    path = log_of(settings)
    new = sorted(known - set(read_log(path) if path.exists() else ()))
    if new:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
            file.writelines(msgspec.json.encode(each) + b"\n" for each in new)
        make_durable([path])
    return len(new)


def read_log(path: Path) -> list[Erased]:
    """Everybody in a log; a torn last line, which a killed process left, is passed over.

    Raises:
        BackupError: another line is none of a log.
    """
    found = []
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Erased))
        except msgspec.MsgspecError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                break
            raise BackupError(f"{path}:{number} is no line of an erasure log: {error}") from error
    return found


def known_to(connection: Connection) -> set[Erased]:
    """Everybody in the database's own log."""
    return {Erased(*row) for row in connection.execute(f"select {_FIELDS} from ops.erasures")}
