"""The erasure log outside the database: who was erased, by surrogate, and where, so that a restore of an older backup forgets them again.

Here belongs the file, a copy of the tables `ops.erasures` and `ops.erased_places`. Not here: erasing (`orchestration.erasure`), erasing
again (`forgetting`).
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct
from psycopg import Connection

from orchestration.backup.contents import BackupError
from orchestration.resources.durable import make_durable
from orchestration.resources.settings import Settings
from orchestration.resources.state import State

NAME = "erasures.ndjson"
_FIELDS = "tenant_id, point_id, lead_id, request_id, erased_at"
_PLACES = "select tenant_id, request_id, store, thing, name, array_agg(place order by place) from ops.erased_places group by 1, 2, 3, 4, 5"


class Erased(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """One contact point that was erased."""

    tenant_id: str
    point_id: str
    lead_id: str
    request_id: str
    erased_at: datetime


class Emptied(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """Where something was taken out (`orchestration.erasure.places`): all places of one thing."""

    tenant_id: str
    request_id: str
    store: str
    thing: str
    name: str
    places: tuple[str, ...]


class Log(NamedTuple):
    """Everybody and every place."""

    people: frozenset[Erased] = frozenset()
    places: frozenset[Emptied] = frozenset()

    def with_(self, other: "Log") -> "Log":
        """Of both."""
        return Log(self.people | other.people, self.places | other.places)


def log_of(settings: Settings) -> Path:
    """Where the log lies: where `FLEXORAA_ERASURE_LOG` says, best on another machine's disk, else in the home."""
    return settings.erasure_log or settings.home / NAME


def keep_log(state: State, settings: Settings) -> int:
    """Append what the log does not have yet, durably; returns how many. Called when somebody was erased, by backups and by witnesses."""
    with state.psycopg() as connection:
        known = known_to(connection)
    path = log_of(settings)
    there = _mended(path) if path.exists() else Log()
    # places first: whoever is in the log is in it with them
    new: list[Struct] = [*sorted(known.places - there.places), *sorted(known.people - there.people)]
    if new:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
            file.writelines(msgspec.json.encode(each) + b"\n" for each in new)
        make_durable([path])
    return len(new)


def _mended(path: Path) -> Log:
    """What it holds, once a torn last line is cut off: nothing is to be written behind one."""
    raw = path.read_bytes()
    os.truncate(path, raw.rfind(b"\n") + 1)
    return read_log(path)


def read_log(path: Path) -> Log:
    """All of a log; a torn last line, which a killed process left, is passed over.

    Raises:
        BackupError: another line is none of a log.
    """
    found: list[Erased | Emptied] = []
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            kind: type[Erased | Emptied] = Emptied if b'"store":' in line else Erased
            found.append(msgspec.json.decode(line, type=kind))
        except msgspec.MsgspecError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                break
            raise BackupError(f"{path}:{number} is no line of an erasure log: {error}") from error
    return _log(found)


def known_to(connection: Connection) -> Log:
    """The database's own log."""
    people = [Erased(*row) for row in connection.execute(f"select {_FIELDS} from ops.erasures")]
    rows = connection.execute(_PLACES).fetchall()
    places = [Emptied(tenant, request, store, thing, name, tuple(each)) for tenant, request, store, thing, name, each in rows]
    return _log([*people, *places])


def _log(found: Iterable[Erased | Emptied]) -> Log:
    all_ = list(found)
    return Log(frozenset(each for each in all_ if isinstance(each, Erased)), frozenset(each for each in all_ if isinstance(each, Emptied)))
