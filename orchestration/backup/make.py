"""`flexoraa backup`: everything of an installation, of one moment, to a folder and a file of keys.

Here belongs the order of steps. The run lock is held, so lake, warehouse and database are of one moment; the collector goes on, and what it
acknowledged before the copy of the inbox begins is in it.
"""

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from core.audit import PLATFORM
from core.ports import Progress
from orchestration.backup import contents, database
from orchestration.backup.contents import BACKUP_KEY, BackupError, Manifest
from orchestration.backup.erasures import keep_log
from orchestration.backup.keys import write_keys
from orchestration.migrations import head
from orchestration.resources.access import Access
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.clients import alone
from orchestration.resources.durable import make_durable
from orchestration.resources.settings import SETTINGS_FILE, Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault


def make(settings: Settings, target: Path, keys: Path | None, progress: Progress) -> dict[str, Any]:
    """Make a backup at `target`, which must not exist yet, and its keys beside it, or at `keys`.

    Raises:
        BackupError: there is something already, or the database cannot be dumped. Nothing is left then.
    """
    target = target.absolute()
    keys = (keys or target.with_name(f"{target.name}.keys")).absolute()
    if not settings.home.is_dir():
        raise BackupError(f"{settings.home} is no installation: there is nothing to back up")
    for path in (target, keys):
        if path.exists():
            raise BackupError(f"{path} exists: give a new name, a backup never replaces another")
        if path.is_relative_to(settings.home):
            raise BackupError(f"{path} lies in the home that it is a backup of: give a place elsewhere")
    if keys.is_relative_to(target):
        raise BackupError("the keys must not lie in the backup: whoever has both can read everybody")
    if settings.keeps_master_key():
        raise BackupError(
            f"{settings.home / SETTINGS_FILE} holds the master key and is backed up: move it to secrets/master.key (mode 0600)"
        )
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    is_done = False
    try:
        draft.mkdir(mode=0o700, parents=True)
        keys.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_state(settings) as state, alone(settings.home):
            told = _fill(settings, state, draft, keys, progress)
        draft.rename(target)
        make_durable([target.parent])
        is_done = True
    finally:
        if not is_done:
            shutil.rmtree(draft, ignore_errors=True)
            keys.unlink(missing_ok=True)
    return {"backup": str(target), "keys": str(keys)} | told


def _fill(settings: Settings, state: State, draft: Path, keys: Path, progress: Progress) -> dict[str, Any]:
    keep_log(state, settings)
    vault = Vault(state, settings.master_key())
    vault.tenant_key(PLATFORM, BACKUP_KEY)  # both keys are there before the vault is dumped
    vault.tenant_key(PLATFORM, "audit")
    vault_dump = draft / database.VAULT_DUMP
    with database.one_moment(state) as (snapshot, as_of):
        database.dump(state, snapshot, draft / contents.STATE)
        database.dump_vault(state, snapshot, vault_dump)
    audit = PostgresAudit(state, vault)
    write_keys(keys, vault_dump, settings.secrets, audit.public_key, as_of)
    vault_dump.unlink()
    copying = contents.copied(settings.home, draft, vault.tenant_key(PLATFORM, BACKUP_KEY))
    files = [contents.described(draft / contents.STATE, contents.STATE), *progress.over("files", copying)]
    manifest = Manifest(
        format=contents.FORMAT,
        as_of=as_of,
        version=version("flexoraa"),
        migration=head(),
        engine=settings.engine,
        database="embedded" if settings.database_url is None else "DATABASE_URL",
        installation=audit.public_key,
        roles=[(each.login, each.tenant_id, each.role) for each in Access(state, vault).held()],
        files=files,
    )
    contents.write_durably(draft / contents.MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    make_durable([draft / contents.STATE, draft])
    size = sum(each.bytes for each in files)
    said = {"as_of": as_of, "files": len(files), "bytes": size, "migration": manifest.migration}
    audit.append(PLATFORM, machine_user(), "backup.made", "installation", said)
    return {"as_of": as_of, "files": len(files), "bytes": size, "is_master_key_in_keys": settings.master_key_text is None}
