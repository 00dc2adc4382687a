"""`flexoraa restore`: a backup into an empty home; nothing can be asked of it before everybody who was erased since is erased again.

Here belongs the order of steps. A marker lies in the home from the first step to the last, and every other command refuses a home that has
one; a restore that was killed is begun anew by the same command, over what it left.
"""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import sql

from core.audit import PLATFORM
from core.ports import Progress
from orchestration.backup import contents, database
from orchestration.backup.contents import BackupError, Manifest
from orchestration.backup.erasures import Log, keep_log, known_to, read_log
from orchestration.backup.forgetting import forget
from orchestration.backup.keys import read_about, read_keys
from orchestration.migrations import head, is_known
from orchestration.resources.access import Access
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.postgres import EmbeddedPostgres, PostgresError
from orchestration.resources.settings import RESTORING, Settings
from orchestration.resources.state import SERVICE_ROLE, State, open_state
from orchestration.resources.vault import Vault

_NAMED = 1_000  # points in one entry of the audit log; its count tells of more


class Sources(NamedTuple):
    """What a restore is made of. `erasures` None: nobody was erased since, somebody said."""

    backup: Path
    keys: Path
    erasures: Path | None


def restore(settings: Settings, sources: Sources, progress: Progress, watch: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
    """Restore, and say what came back; `watch` is told of each step as it begins.

    Raises:
        BackupError: the home is not empty, or backup and keys are not whole or not of one another. What was there stays as it was.
    """
    watch("check")
    manifest = contents.read_manifest(sources.backup)
    erased = Log() if sources.erasures is None else read_log(sources.erasures)
    _refuse_home(settings.home, sources.backup)
    _refuse_pair(manifest, sources)
    for _ in progress.over("checking", contents.check(sources.backup, manifest), len(manifest.files)):
        pass
    watch("begin")
    _begin(settings, sources.backup)
    watch("files")
    for _ in progress.over("files", contents.put_back(sources.backup, settings.home, manifest.files), len(manifest.files)):
        pass
    watch("keys")
    vault_dump = read_keys(sources.keys, settings.home / RESTORING, settings.secrets)
    watch("database")
    _database(settings, sources.backup / contents.STATE, vault_dump)
    vault_dump.unlink()
    with open_state(settings) as state:
        vault = Vault(state, settings.master_key())
        # the wrong master key is told now, and not with the first message
        contents.open_segments(settings.home, vault.tenant_key(PLATFORM, contents.BACKUP_KEY))
        watch("erasures")
        forgotten, known = _forget(settings, state, vault, erased)
        watch("effects")
        doubtful = _doubt(state, manifest)
        access = Access(state, vault)
        for login, tenant_id, role in manifest.roles:
            access.grant(login, role, tenant_id, is_made=True)
        told = {"as_of": manifest.as_of, "files": len(manifest.files), "erased_again": forgotten, "actions_in_doubt": doubtful}
        PostgresAudit(state, vault).append(PLATFORM, machine_user(), "backup.restored", "installation", told)
        keep_log(state, settings)
    watch("end")
    shutil.rmtree(settings.home / RESTORING)
    return {"home": str(settings.home), "erasures_known": known} | told


def _refuse_home(home: Path, backup: Path) -> None:
    if not home.exists():
        return
    names = {each.name for each in home.iterdir()}
    if RESTORING in names:
        begun = (home / RESTORING / "backup").read_text(encoding="utf-8") if (home / RESTORING / "backup").exists() else str(backup)
        if begun != str(backup.absolute()):
            raise BackupError(f"a restore of {begun} into {home} was begun: end that one, or remove {home} and begin anew")
        return
    if names:
        raise BackupError(f"{home} is not empty: a restore never goes over an installation; give another with --home, or move it away")


def _refuse_pair(manifest: Manifest, sources: Sources) -> None:
    about = read_about(sources.keys)
    if about.installation != manifest.installation:
        raise BackupError(f"{sources.keys} holds the keys of another installation than {sources.backup}")
    if about.as_of < manifest.as_of:
        raise BackupError(f"{sources.keys} is older ({about.as_of}) than {sources.backup} ({manifest.as_of}): it lacks keys")
    if not is_known(manifest.migration):
        raise BackupError(f"{sources.backup} was made by version {manifest.version}, which is newer ({manifest.migration}, not {head()})")


def _begin(settings: Settings, backup: Path) -> None:
    """Drop what a killed attempt left, and put the marker down."""
    home = settings.home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / RESTORING).mkdir(mode=0o700, exist_ok=True)
    contents.write_durably(home / RESTORING / "backup", str(backup.absolute()).encode())
    if settings.database_url is None and (home / "state").exists():
        with contextlib.suppress(PostgresError), EmbeddedPostgres(home):
            pass  # a server that a killed attempt left is stopped by its last client; a half-made one was never started
    for path in home.iterdir():
        if path.name == RESTORING:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _database(settings: Settings, *dumps: Path) -> None:
    settings.make_folders()
    if settings.database_url is not None:
        _fill(settings.database_url, dumps)
        return
    with EmbeddedPostgres(settings.home) as server:
        _fill(server.libpq_url(), dumps)


def _fill(url: str, dumps: Sequence[Path]) -> None:
    state = State(url)
    with state.owner() as connection:
        if connection.execute("select from pg_namespace where nspname = 'ops'").rowcount:
            raise BackupError("the database of DATABASE_URL is not empty: drop it and make it anew, then run the same command")
        for role in ("flexoraa_service", "flexoraa_tenants"):
            if connection.execute("select from pg_roles where rolname = %s", (role,)).rowcount == 0:
                connection.execute(f"create role {role} nologin")
        connection.execute("grant flexoraa_service to current_user")
    database.restore(url, *dumps)
    state.migrate()
    with state.owner() as connection:
        # what is published is the platform's own: it replaces it
        for (table,) in connection.execute("select tablename from pg_tables where schemaname = 'serving' order by 1").fetchall():
            connection.execute(sql.SQL("alter table {} owner to {}").format(sql.Identifier("serving", table), sql.Identifier(SERVICE_ROLE)))
        for (tenant_id,) in connection.execute("select tenant_id from ops.tenants order by 1").fetchall():
            connection.execute("select ops.make_tenant_roles(%s)", (tenant_id,))


def _forget(settings: Settings, state: State, vault: Vault, erased: Log) -> tuple[int, int]:
    """Erase again whom the log names and whom the backup itself knows as erased."""
    with state.psycopg() as connection:
        wanted = erased.with_(known_to(connection))
    count = forget(settings, state, vault, wanted)
    audit = PostgresAudit(state, vault)
    for tenant_id in sorted({each.tenant_id for each in wanted.people}):
        points = sorted(each.point_id for each in wanted.people if each.tenant_id == tenant_id)
        audit.append(tenant_id, machine_user(), "erasure.repeated", "restore", {"points": points[:_NAMED], "count": len(points)})
    return count, len(wanted.people)


def _doubt(state: State, manifest: Manifest) -> int:
    """What waited to be sent when the backup was made may have been sent since: it is shown as unknown and never sent by itself."""
    with state.psycopg() as connection:
        connection.execute("insert into ops.restores (backup_as_of, restored_at) values (%s, clock_timestamp())", (manifest.as_of,))
        changed = connection.execute(
            "update ops.outbox set state = 'unknown', reason = 'restored', lease_owner = null, lease_until = null, "
            "updated_at = clock_timestamp() where state = 'claimed' or (state = 'requested' and due_at <= clock_timestamp())"
        )
        return changed.rowcount
