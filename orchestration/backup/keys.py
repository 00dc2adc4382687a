"""The file of keys that goes with a backup: the vault's rows and the home's secrets, in one file of mode 0600.

Here belongs its format (a tar). Not here: the key's rotation (`orchestration.key_command`).
"""

import io
import tarfile
from pathlib import Path

from orchestration.backup.contents import BackupError, write_durably
from orchestration.backup.database import VAULT_DUMP

_SECRETS = "secrets/"


def write_keys(path: Path, vault_dump: Path, secrets: Path) -> None:
    """Put both into a new file."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(vault_dump, VAULT_DUMP, filter=_plain)
        for each in sorted(secrets.iterdir()) if secrets.is_dir() else ():
            if each.is_file() and not each.name.startswith("."):
                tar.add(each, _SECRETS + each.name, filter=_plain)
    write_durably(path, content.getvalue())


def read_keys(path: Path, target: Path, secrets: Path) -> Path:
    """Unpack into `target` and `secrets`; returns where the vault's dump lies.

    Raises:
        BackupError: others may read the file, or it is none of keys.
    """
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise BackupError(f"{path} may be read by others (mode {mode:04o}): run chmod 600 {path}, and think of a new master key")
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                name = Path(member.name).name
                file = tar.extractfile(member)
                if file is None or member.name not in {VAULT_DUMP, _SECRETS + name}:
                    raise BackupError(f"{path} is no file of keys: it holds {member.name!r}")
                folder = target if member.name == VAULT_DUMP else secrets
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_durably(folder / name, file.read())
    except tarfile.TarError as error:
        raise BackupError(f"{path} is no file of keys: {error}") from error
    return target / VAULT_DUMP


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode, member.mtime = 0o600, 0
    return member
