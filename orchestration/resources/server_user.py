"""Who the embedded PostgreSQL runs as: ourselves, or, since it refuses root, a system user of its own.

Here belongs what root must arrange for that user: its account, its folders, the way to them. Not here: the server (`postgres`).
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "pgserver"  # the name that the wheel itself uses, so that both share one account


class ServerUserError(Exception):
    """The account that PostgreSQL needs cannot be had."""


@dataclass(frozen=True)
class ServerUser:
    """A user id and group id, and whether we must switch to it."""

    uid: int
    gid: int
    is_other: bool

    def run(self, command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL as this user, without any `PG*` variable of ours, which would move its port or data."""
        identity: dict[str, Any] = {"user": self.uid, "group": self.gid, "extra_groups": ()} if self.is_other else {}
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, env=environment, cwd="/", text=True, capture_output=True, timeout=seconds, check=False, **identity
        )
        return done

    def own_folder(self, folder: Path) -> None:
        """Make `folder` with mode 0700, ours alone; refuse one that somebody else made first.

        Raises:
            ServerUserError: it is a link or belongs to another user (in a shared temporary folder: an attack or a leftover).
        """
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {self.uid, os.geteuid()}:
                message = f"{folder} exists and is not ours: remove it, or set another FLEXORAA_HOME or TMPDIR"
                raise ServerUserError(message) from None
        self.give(folder, 0o700)

    def give(self, path: Path, mode: int) -> None:
        """Hand `path` to this user with exactly `mode`."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(mode)

    def let_reach(self, path: Path) -> None:
        """Let this user walk down to `path`: others get x, never r, on those parents that lack it.

        x alone lets nobody list a folder; what lies in it is as closed as its own mode says.
        """
        if not self.is_other:
            return
        for parent in path.absolute().parents:
            mode = stat.S_IMODE(parent.stat().st_mode)
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)

    def let_read_programs(self, programs: Path) -> None:
        """Let this user run the wheel's PostgreSQL, where pip installed it under a tight umask. Public files, so r is no leak."""
        if not self.is_other:
            return
        self.let_reach(programs)
        if (programs / "bin" / "postgres").stat().st_mode & stat.S_IXOTH and programs.stat().st_mode & stat.S_IXOTH:
            return
        for path in (programs, *programs.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def server_user() -> ServerUser:
    """Ourselves; as root the account `pgserver`, which is made on first use.

    Raises:
        ServerUserError: we are root and cannot make it.
    """
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid(), is_other=False)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _make_account()
    return ServerUser(entry.pw_uid, entry.pw_gid, is_other=True)


def _make_account() -> pwd.struct_passwd:
    useradd = shutil.which("useradd")
    if useradd is None:
        message = f"PostgreSQL does not run as root and useradd is missing: make a system user {NAME}, or set DATABASE_URL"
        raise ServerUserError(message)
    command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    try:
        return pwd.getpwnam(NAME)  # two first starts at once: one useradd fails, and the account is there all the same
    except KeyError:
        message = f"PostgreSQL does not run as root and the user {NAME} could not be made: {done.stderr.strip()}"
        raise ServerUserError(message) from None
