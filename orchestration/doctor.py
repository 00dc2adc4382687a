"""`flexoraa doctor`: whether an installation is as it should be; it looks and changes nothing.

Here belongs each check and what to do where it fails. Not here: the command line (`doctor_cli`).
"""

import contextlib
import ipaddress
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, NamedTuple

import psutil
import psycopg

from assets.project import PROJECT
from orchestration.migrations import head
from orchestration.resources.postgres import EmbeddedPostgres
from orchestration.resources.settings import SETTINGS_FILE, Settings, SettingsError
from orchestration.resources.state import State
from orchestration.resources.vault import Vault, VaultError, fingerprint

_LOW_BYTES, _LEAST_BYTES = 5 << 30, 500 << 20
_OURS = ("flexoraa", "orchestration.", "dagster")
_OLDEST_POSTGRES = 15
_OPEN_TABLES = """
    select string_agg(n.nspname || '.' || c.relname, ', ' order by 1) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname in ('ops', 'serving', 'vault') and exists (
        select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    ) and not (
        c.relrowsecurity and c.relforcerowsecurity
        and exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant_rows')
    )
"""


class Finding(NamedTuple):
    """What one check found; `do` is empty where all is well."""

    check: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    do: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every check, in an order in which the first failure explains the later ones."""
    if not settings.home.is_dir():
        return [Finding("home", "fail", f"{settings.home} does not exist", "name it with --home, or begin with flexoraa tenant apply")]
    found = [*_home(settings), *_keys(settings), *_elsewhere(settings), *_versions(), *_disk(settings), *_listeners()]
    return [*found, *_database(settings)]


def _home(settings: Settings) -> Iterator[Finding]:
    for folder in (settings.home, settings.secrets, settings.inbox, settings.lake):
        if not folder.exists():
            continue
        mode = stat.S_IMODE(folder.stat().st_mode)
        others_read = mode & (stat.S_IRWXG | stat.S_IROTH | stat.S_IWOTH)
        do = f"chmod 700 {folder} (711 where PostgreSQL runs as a user of its own)" if others_read else ""
        yield Finding(f"permissions of {folder.name}", "fail" if others_read else "ok", f"mode {mode:04o}", do)
    if settings.secrets.is_dir():
        open_ = [path.name for path in settings.secrets.rglob("*") if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077]
        do = f"chmod 600 them, and think of new ones: {', '.join(sorted(open_))}" if open_ else ""
        yield Finding("secret files", "fail" if open_ else "ok", f"{len(open_)} may be read by others", do)


def _keys(settings: Settings) -> Iterator[Finding]:
    if settings.master_key_text is None and not settings.master_key_file.exists():
        yield Finding("master key", "warn", "there is none yet", "it is made when it is first needed; keep a copy apart from backups")
        return
    try:
        where = "the environment" if settings.master_key_text is not None else str(settings.master_key_file)
        yield Finding("master key", "ok", f"{fingerprint(settings.master_key()).hex()} in {where}")
    except SettingsError as error:
        yield Finding("master key", "fail", str(error), "see the sentence before")
    if settings.keeps_master_key():
        path = settings.home / SETTINGS_FILE
        yield Finding("place of the master key", "fail", f"it lies in {path}, which backups copy", "move it to secrets/master.key")


def _elsewhere(settings: Settings) -> Iterator[Finding]:
    for name, path, loss in (
        ("FLEXORAA_AUDIT_WITNESS", settings.audit_witness, "whoever holds the key could cut off the end of the audit log"),
        ("FLEXORAA_ERASURE_LOG", settings.erasure_log, "a restore after the loss of the home does not know who was erased since"),
    ):
        if path is None:
            yield Finding(name, "warn", f"not set: {loss}", "name a file on another machine's disk")
        elif path.is_relative_to(settings.home):
            yield Finding(name, "warn", f"{path} lies in the home: {loss}", "name a file on another machine's disk")
        else:
            yield Finding(name, "ok", str(path))


def _versions() -> Iterator[Finding]:
    yield Finding("python", "ok" if sys.version_info >= (3, 11) else "fail", sys.version.split()[0])
    lock = PROJECT.parent / "requirements" / "runtime.txt"
    if not lock.exists():
        return
    wrong = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, equals, rest = line.partition("==")
        if equals and not line.startswith((" ", "#")) and ";" not in line:
            wanted = rest.split()[0]
            with contextlib.suppress(PackageNotFoundError):
                if (installed := version(name.partition("[")[0])) != wanted:
                    wrong.append(f"{name} {installed}, locked {wanted}")
    yield Finding("versions", "warn" if wrong else "ok", "; ".join(wrong[:5]) or "as locked", "make setup" if wrong else "")


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.home).free
    status: Literal["ok", "warn", "fail"] = "ok" if free > _LOW_BYTES else "warn" if free > _LEAST_BYTES else "fail"
    yield Finding("disk", status, f"{free / 1e9:,.1f} GB free", "" if status == "ok" else "make room: intake stops when it is full")


def _listeners() -> Iterator[Finding]:
    """Whoever of our programs listens on more than loopback; other users' processes are seen as root only."""
    wide, count = [], 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            words = " ".join(process.cmdline())
            if not any(each in words for each in _OURS):
                continue
            for each in process.net_connections(kind="inet"):
                if each.status == psutil.CONN_LISTEN:
                    count += 1
                    if not ipaddress.ip_address(each.laddr.ip).is_loopback:
                        wide.append(f"{each.laddr.ip}:{each.laddr.port} (process {process.pid})")
    do = "only the collector may, behind a proxy with TLS that lets /hooks/ through" if wide else ""
    yield Finding("listeners", "warn" if wide else "ok", ", ".join(wide) or f"{count}, all on loopback", do)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        if settings.database_url is not None:
            yield from _state(settings, State(settings.database_url))
        elif not (settings.state / "postgres").exists():
            yield Finding("database", "warn", "there is none yet", "it is made when it is first needed")
        else:
            with EmbeddedPostgres(settings.home) as server:
                yield from _state(settings, State(server.libpq_url()))
    except Exception as error:  # noqa: BLE001 — whatever it is, it is a finding
        yield Finding("database", "fail", str(error).strip().splitlines()[0], "see the runbook: Postgres does not come up")


def _state(settings: Settings, state: State) -> Iterator[Finding]:
    with state.owner() as connection:
        number = connection.info.server_version
        is_new = number >= _OLDEST_POSTGRES * 10_000
        yield Finding("database", "ok" if is_new else "fail", f"PostgreSQL {number // 10_000}", "" if is_new else "15 or newer is needed")
        listens = _one(connection, "show listen_addresses")
        if settings.database_url is None:
            do = "take listen_addresses out of postgresql.conf" if listens else ""
            yield Finding("database's listener", "fail" if listens else "ok", f"{listens or 'a socket of mode 0700'}", do)
        there = _one(connection, "select to_regclass('ops.alembic_version')")
        step = _one(connection, "select version_num from ops.alembic_version") if there else None
        is_head = step == head()
        yield Finding(
            "migrations", "ok" if is_head else "warn", f"at {step}, newest {head()}", "" if is_head else "any command brings them up"
        )
        if not is_head:
            return
        bare = _one(connection, _OPEN_TABLES)
        said = f"missing: {bare}" if bare else "every table with a tenant has it"
        yield Finding("row-level security", "fail" if bare else "ok", said, "report this" if bare else "")
    yield from _vault(settings, state)


def _vault(settings: Settings, state: State) -> Iterator[Finding]:
    opened: Callable[[str, str], bytes] = Vault(state, settings.master_key()).tenant_key
    with state.psycopg() as connection:
        row = connection.execute("select tenant_id, split_part(key_id, '/', 2) from vault.keys limit 1").fetchone()
    try:
        if row is not None:
            opened(row[0], row[1])
        yield Finding("vault", "ok", "opens with the master key" if row is not None else "is empty")
    except VaultError as error:
        yield Finding("vault", "fail", str(error), "put the right master key back: without it nothing personal can be read")


def _one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def worst(findings: list[Finding]) -> int:
    """The exit code: 1 where something fails, 3 where something warns."""
    statuses = {each.status for each in findings}
    return 1 if "fail" in statuses else 3 if "warn" in statuses else 0
