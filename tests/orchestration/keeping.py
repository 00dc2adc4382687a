"""A small installation that has lived: tenants, people in the vault, effects on their way, a lake, an inbox; and processes that die in it.

Here belongs the world of the tests of backups and of the master key. It is a home of its own: both change what others share.
"""

import gzip
import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from core.events import Point
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.lake import FolderLake
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault

PEOPLE = [Point("email", f"canary{number}@example.org") for number in range(25)]
TENANT = "kept"
SEGMENTS = ("a.ndjson", "done/0123456789abcdef-b.ndjson.gz", ".collector-c.ndjson.open")
"""One that waits, one that was taken in, one that the collector writes; three people in each."""
OUTBOX = (
    "insert into ops.outbox (action_id, tenant_id, rule, kind, channel, subject, trigger, details, due_at, expires_at, state, requested_at, "
    "updated_at) values (%s, 'kept', 'r', 'k', 'callback', 's', 't', '{}', %s, now() + interval '1 day', %s, now(), now())"
)


@contextmanager
def lived() -> Iterator[Path]:
    """The home, with nobody in it."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-kept-") as folder:
        home = Path(folder) / "home"
        settings = Settings.load(home, {})
        with open_state(settings) as state:
            vault = Vault(state, settings.master_key())
            with state.owner() as connection:
                connection.execute("select ops.make_tenant_roles('kept')")
            with state.psycopg() as connection:
                connection.execute("insert into ops.tenants values ('kept', 'Kept', now(), '')")
                connection.execute(OUTBOX, ("waits", "2020-01-01T00:00:00Z", "requested"))
                connection.execute(OUTBOX, ("later", "2099-01-01T00:00:00Z", "requested"))
                connection.execute(OUTBOX, ("claimed", "2020-01-01T00:00:00Z", "claimed"))
                connection.execute(OUTBOX, ("sent", "2020-01-01T00:00:00Z", "sent"))
                connection.execute("create table serving.kept_mart (tenant_id text, lead_id text)")
                connection.execute("select ops.protect_table('serving', 'kept_mart')")
                connection.execute("insert into serving.kept_mart values ('kept', 'lead_1')")
            vault.points(TENANT, PEOPLE)
            PostgresAudit(state, vault).append(TENANT, "meera", "thing.done", "a", {"n": 1})
        FolderLake(settings.lake).prepare()
        for name in ("reference/run.parquet", "warehouse.duckdb", "models/one/model.bin"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(hashlib.sha256(name.encode()).digest() * 1000)
        (home / "inbox" / "done").mkdir()
        for name in SEGMENTS:
            lines = [f'{{"told in": "{name}", "by": "{point.value}"}}' for point in PEOPLE[:3]]
            raw = ("\n".join(lines) + "\n").encode()
            (home / "inbox" / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        yield home


@contextmanager
def opened(home: Path) -> Iterator[tuple[State, Vault]]:
    """State and vault of a home."""
    settings = Settings.load(home, {})
    with open_state(settings) as state:
        yield state, Vault(state, settings.master_key())


def found(vault: Vault, state: State) -> set[str]:
    """Everybody whom the vault can still name."""
    with state.psycopg() as connection:
        ids = [row[0] for row in connection.execute("select point_id from vault.points where tenant_id = 'kept'")]
    return {point.value for point in vault.reveal(TENANT, ids).values()}


def contents_of(state: State, *but: str) -> dict[str, str]:
    """A checksum of every table's rows."""
    query = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('ops', 'vault', 'serving') order by 1"
    sums = {}
    with state.owner() as connection:
        for (table,) in connection.execute(query).fetchall():
            if table not in but:
                row = connection.execute(f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {table} t").fetchone()
                sums[table] = str(row[0]) if row else ""
    return sums


def killed_at(step: str, work: Callable[[Callable[[str], None]], Any]) -> None:
    """Do the work in a process that is killed with -9 when it comes to the step."""

    def watch(come_to: str) -> None:
        if come_to == step:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            work(watch)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"{step} was never come to"


def log_line(point_id: str) -> bytes:
    """As the erasure log has it."""
    row = {"tenant_id": TENANT, "point_id": point_id, "lead_id": "lead_x", "request_id": "req_1", "erased_at": "2026-11-21T00:00:00Z"}
    return msgspec.json.encode(row) + b"\n"


PYTHON = sys.executable
