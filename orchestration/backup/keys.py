"""The file of keys that goes with a backup: the vault's rows and the home's secrets, in one file of mode 0600.

Here belongs its format (a tar). Not here: the key's rotation (`orchestration.key_command`).
"""

import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
from msgspec import Struct

from orchestration.backup.contents import BackupError, write_durably
from orchestration.backup.database import VAULT_DUMP

_SECRETS = "secrets/"
_ABOUT = "keys.json"


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys these are, as of when, and the SHA-256 of each file."""

    installation: str
    as_of: str
    sha256: dict[str, str]


def write_keys(path: Path, vault_dump: Path, secrets: Path, installation: str, as_of: str) -> None:
    """Put the vault's rows and the home's secrets into a new file."""
    files = {VAULT_DUMP: vault_dump.read_bytes()}
    for each in sorted(secrets.iterdir()) if secrets.is_dir() else ():
        if each.is_file() and not each.name.startswith("."):
            files[_SECRETS + each.name] = each.read_bytes()
    about = About(installation, as_of, {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()})
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, raw in {_ABOUT: msgspec.json.encode(about), **files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(raw), 0o600
            tar.addfile(member, io.BytesIO(raw))
    write_durably(path, content.getvalue())


def read_about(path: Path) -> About:
    """Whose keys a file holds.

    Raises:
        BackupError: others may read it, or it is none of keys, or damaged.
    """
    return _read(path)[0]


def read_keys(path: Path, target: Path, secrets: Path) -> Path:
    """Unpack into `target` and `secrets`; returns where the vault's dump lies.

    Raises:
        BackupError: as `read_about`.
    """
    for name, raw in _read(path)[1].items():
        folder = target if name == VAULT_DUMP else secrets
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(folder / Path(name).name, raw)
    return target / VAULT_DUMP


def _read(path: Path) -> tuple[About, dict[str, bytes]]:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise BackupError(f"{path} may be read by others (mode {mode:04o}): run chmod 600 {path}, and think of a new master key")
    try:
        with tarfile.open(path, mode="r:") as tar:
            files = {member.name: file.read() for member in tar if (file := tar.extractfile(member)) is not None}
        about = msgspec.json.decode(files.pop(_ABOUT), type=About)
    except (tarfile.TarError, KeyError, msgspec.MsgspecError) as error:
        raise BackupError(f"{path} is no file of keys") from error
    if {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()} != about.sha256:
        raise BackupError(f"{path} was changed or damaged: take another file of keys of this installation that is as new as the backup")
    return about, files
