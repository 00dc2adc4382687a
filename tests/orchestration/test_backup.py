"""Backup and restore: all of it comes back, the erased do not, nothing half made is ever served."""

import gzip
import io
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.audit import PLATFORM
from orchestration.backup import contents
from orchestration.backup.contents import BackupError
from orchestration.backup.make import make
from orchestration.backup.restore import Sources, restore
from orchestration.backup.sealing import PART, NotOursError, sealed, unsealed
from orchestration.cli import app
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.postgres import programs
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.vault import VaultError
from tests.orchestration.keeping import OUTBOX, PEOPLE, PYTHON, SEGMENTS, contents_of, found, lived, log_line, opened

ROOT = Path(__file__).resolve().parents[2]
QUIET = TerminalProgress(quiet=True)
STEPS = ("begin", "database", "erasures", "end")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with lived() as made:
        yield made


@pytest.fixture(scope="module")
def backup(home: Path) -> Sources:
    """A backup of it and its keys, with nobody erased."""
    target = home.parent / "backup"
    make(Settings.load(home, {}), target, None, QUIET)
    return Sources(target, target.with_name("backup.keys"), None)


def restored(home: Path, name: str, sources: Sources) -> Path:
    fresh = home.parent / name
    restore(Settings.load(fresh, {}, is_restoring=True), sources, QUIET)
    return fresh


@pytest.fixture(scope="module")
def again(home: Path, backup: Sources) -> Path:
    return restored(home, "again", backup)


def test_all_rows_files_people_and_acknowledged_events_come_back(home: Path, backup: Sources, again: Path) -> None:
    changed = ("ops.outbox", "ops.audit_log", "ops.restores")
    with opened(home) as (state, vault):
        before, people = contents_of(state, *changed), found(vault, state)
    with opened(again) as (state, vault):
        assert contents_of(state, *changed) == before
        assert found(vault, state) == people == {point.value for point in PEOPLE}
        assert [entry.action for entry in PostgresAudit(state, vault).entries("kept")] == ["thing.done"]
        assert [entry.action for entry in PostgresAudit(state, vault).entries(PLATFORM)] == ["backup.restored"]
        with state.owner() as connection:
            connection.execute("set local role flexoraa_viewer_kept")
            assert connection.execute("select lead_id from serving.kept_mart").fetchall() == [("lead_1",)]
    for folder in ("lake", "inbox", "reference", "models"):
        files = {path.relative_to(home) for path in (home / folder).rglob("*") if path.is_file()}
        assert files and all((again / path).read_bytes() == (home / path).read_bytes() for path in files)
    assert (again / "warehouse.duckdb").read_bytes() == (home / "warehouse.duckdb").read_bytes()
    assert not (again / "restoring").exists()


def test_what_may_have_been_sent_since_the_backup_is_unknown_and_what_is_due_later_is_not(again: Path) -> None:
    with opened(again) as (state, _), state.psycopg() as connection:
        states = dict(connection.execute("select action_id, state from ops.outbox").fetchall())
        assert states == {"waits": "unknown", "claimed": "unknown", "sent": "sent", "later": "requested"}
        between = connection.execute("select backup_as_of, restored_at from ops.restores").fetchone()
        assert between is not None
        for action, due in (("asked again", between[0]), ("of now", between[1])):
            connection.execute(OUTBOX, (action, due, "requested"))
        states = dict(connection.execute("select action_id, state from ops.outbox where action_id in ('asked again', 'of now')").fetchall())
        assert states == {"asked again": "unknown", "of now": "requested"}
        connection.rollback()


def test_the_backup_without_its_keys_holds_no_key_and_nobody(home: Path, backup: Sources) -> None:
    dump = [str(programs() / "pg_restore"), "--file=-", str(backup.backup / contents.STATE)]
    raw = subprocess.run(dump, capture_output=True, check=True).stdout
    raw += b"".join(path.read_bytes() for path in backup.backup.rglob("*") if path.is_file())
    assert b"thing.done" in raw
    with opened(home) as (state, _), state.psycopg() as connection:
        rows = connection.execute("select encode(key_wrapped, 'hex'), encode(value_enc, 'hex') from vault.points").fetchall()
        rows += connection.execute("select encode(wrapped, 'hex'), encode(wrapped, 'hex') from vault.keys").fetchall()
    needles = [each.encode() for row in rows for each in row] + [bytes.fromhex(each) for row in rows for each in row]
    needles += [(home / "secrets" / "master.key").read_bytes().strip(), *(point.value.encode() for point in PEOPLE)]
    assert len(needles) > 100 and not [needle for needle in needles if needle in raw]
    for path in (backup.keys, backup.backup / contents.STATE, backup.backup / contents.MANIFEST):
        assert path.stat().st_mode & 0o077 == 0


def test_who_was_erased_after_the_backup_is_still_gone_after_its_restore(home: Path, backup: Sources) -> None:
    with opened(home) as (state, vault):
        erased = vault.points("kept", PEOPLE[:1])[PEOPLE[0]].point_id
    log = home.parent / "erasures.ndjson"
    log.write_bytes(log_line(erased) + b'{"tenant_id": "kept", "poi')  # a killed process's last line
    fresh = restored(home, "forgets", backup._replace(erasures=log))
    with opened(fresh) as (state, vault):
        assert found(vault, state) == {point.value for point in PEOPLE[1:]}
        assert vault.keys("kept", [erased]) == {}
        told = [entry for entry in PostgresAudit(state, vault).entries("kept") if entry.action == "erasure.repeated"]
        assert [entry.details["points"] for entry in told] == [[erased]]
        with state.psycopg() as connection:
            assert connection.execute("select point_id from ops.erasures").fetchall() == [(erased,)]
            assert connection.execute("select state, requested_by from ops.privacy_requests").fetchall() == [
                ("requested", "system:restore")
            ]
            rows = connection.execute("select string_agg(q::text, ' ') from ops.quarantine q").fetchone()
            assert rows is not None and b"canary0" not in bytes(str(rows[0]), "utf-8")
    segments = [path for path in (fresh / "inbox").rglob("*") if path.is_file()]
    raw = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in segments]
    assert len(raw) == len(SEGMENTS) and all(each.count(b"told in") == 2 for each in raw)  # the other two people's lines are there
    everything = b"".join([*raw, *(path.read_bytes() for path in fresh.rglob("*") if path.is_file() and "state" not in path.parts)])
    assert b"canary1" in everything and b"canary0" not in everything.lower()


def test_a_restore_that_is_killed_at_any_step_serves_nobody_and_is_ended_by_the_same_command(home: Path, backup: Sources) -> None:
    with opened(home) as (_, vault):
        erased = vault.points("kept", PEOPLE[:1])[PEOPLE[0]].point_id
    log = home.parent / "killed.ndjson"
    log.write_bytes(log_line(erased))
    fresh, sources = home.parent / "killed", backup._replace(erasures=log)
    command = [PYTHON, "-m", "tests.orchestration.dying_keeper"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        for step in STEPS:
            print(step, fresh, backup.backup, backup.keys, log, file=keeper.stdin, flush=True)
            status = int(keeper.stdout.readline())
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, step
            if step == "begin":  # nothing was touched yet
                assert not fresh.exists()
                continue
            with pytest.raises(SettingsError, match="has not ended: run the same flexoraa restore again"):
                Settings.load(fresh, {})
        keeper.stdin.close()
    with pytest.raises(BackupError, match="a restore of .* was begun"):
        restore(Settings.load(fresh, {}, is_restoring=True), sources._replace(backup=copied(backup)), QUIET)
    restore(Settings.load(fresh, {}, is_restoring=True), sources, QUIET)
    with opened(fresh) as (state, vault):
        assert found(vault, state) == {point.value for point in PEOPLE[1:]}


def copied(backup: Sources) -> Path:
    other = backup.backup.with_name("backup-moved")
    if not other.exists():
        subprocess.run(["cp", "-r", str(backup.backup), str(other)], check=True)
    return other


def test_what_is_not_whole_or_not_a_pair_is_refused_and_nothing_is_begun(home: Path, backup: Sources, tmp_path: Path) -> None:
    fresh = home.parent / "refused"

    def refused(sources: Sources, said: str) -> None:
        with pytest.raises((BackupError, OSError), match=said):
            restore(Settings.load(fresh, {}, is_restoring=True), sources, QUIET)
        assert not fresh.exists()

    refused(backup._replace(backup=tmp_path / "none"), "is no whole backup")
    other_keys = tmp_path / "other.keys"
    other_keys.write_bytes(backup.keys.read_bytes())
    refused(backup._replace(keys=other_keys), "may be read by others")
    other_keys.chmod(0o600)
    raw = backup.keys.read_bytes()
    place = raw.index((home / "secrets" / "master.key").read_bytes().strip())
    other_keys.write_bytes(raw[:place] + b"A" + raw[place + 1 :] if raw[place] != ord("A") else raw[:place] + b"B" + raw[place + 1 :])
    refused(backup._replace(keys=other_keys), "was changed or damaged")
    other_keys.write_bytes(b"no keys")
    refused(backup._replace(keys=other_keys), "is no file of keys")
    refused(backup._replace(keys=tmp_path / "gone"), "gone")
    bad_log = tmp_path / "bad.ndjson"
    bad_log.write_bytes(b"no json\n" + log_line("cp_x"))
    refused(backup._replace(erasures=bad_log), "bad.ndjson:1 is no line")
    damaged = copied(backup)
    victim = next((damaged / "home" / "lake").rglob("*.parquet"))
    right = victim.read_bytes()
    victim.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    refused(backup._replace(backup=damaged), "was changed or damaged")
    victim.unlink()
    refused(backup._replace(backup=damaged), "is missing")
    victim.write_bytes(right)
    with pytest.raises(BackupError, match="is not empty"):
        restore(Settings.load(home, {}, is_restoring=True), backup, QUIET)


def test_a_backup_goes_to_a_new_place_outside_the_home_and_its_keys_apart(home: Path, backup: Sources) -> None:
    settings = Settings.load(home, {})
    for target, keys, said in (
        (backup.backup, None, "a backup never replaces another"),
        (home / "inside", None, "lies in the home"),
        (home.parent / "new", home.parent / "new" / "keys", "must not lie in the backup"),
        (home.parent / "new", backup.keys, "never replaces another"),
    ):
        with pytest.raises(BackupError, match=said):
            make(settings, target, keys, QUIET)
    assert not (home.parent / "new").exists()


def test_a_full_disk_leaves_neither_half_a_backup_nor_a_restore_that_is_served(home: Path, backup: Sources) -> None:
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        env = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DATABASE_URL"))}
        command = [PYTHON, "-m", "orchestration.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False, preexec_fn=full, timeout=120)

    before = set(home.parent.iterdir())
    with opened(home):  # the server was started before the disk was full
        done = run("backup", str(home.parent / "full"), "--home", str(home))
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert set(home.parent.iterdir()) == before
    fresh = home.parent / "full-restored"
    done = run("restore", str(backup.backup), "--no-erasures", "--home", str(fresh))
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    with pytest.raises(SettingsError, match="has not ended"):
        Settings.load(fresh, {})


def test_it_is_asked_who_was_erased_since_and_silence_is_no_answer(home: Path, backup: Sources) -> None:
    fresh = str(home.parent / "asked")
    asked = CliRunner().invoke(app, ["restore", str(backup.backup), "--home", fresh])
    assert isinstance(asked.exception, BackupError) and "--no-erasures" in str(asked.exception)
    both = CliRunner().invoke(app, ["restore", str(backup.backup), "--home", fresh, "--no-erasures", "--erasures", "x"])
    assert both.exit_code == 2
    assert not Path(fresh).exists()


def test_another_master_key_of_the_environment_is_told_before_anybody_is_served(home: Path, backup: Sources) -> None:
    fresh = home.parent / "other-key"
    settings = Settings.load(fresh, {"FLEXORAA_MASTER_KEY": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}, is_restoring=True)
    with pytest.raises(VaultError, match="does not open the vault"):
        restore(settings, backup, QUIET)
    with pytest.raises(SettingsError, match="has not ended"):
        Settings.load(fresh, {})


def test_nothing_that_was_acknowledged_before_the_copy_is_missing_while_a_collector_goes_on(tmp_path: Path) -> None:
    inbox, acknowledged, stop = tmp_path / "home" / "inbox", [], threading.Event()
    inbox.mkdir(parents=True)

    def collect() -> None:
        number = 0
        while not stop.is_set():
            open_path = inbox / f".collector-{number:05d}.ndjson.open"
            with open_path.open("ab") as file:
                for line in range(5):
                    file.write(f"{number}:{line}\n".encode())
                    file.flush()
                    acknowledged.append(f"{number}:{line}")
            open_path.rename(inbox / f"collector-{number:05d}.ndjson")
            number += 1
            stop.wait(0.0005)

    writer = threading.Thread(target=collect)
    writer.start()
    try:
        for attempt in range(3):
            while len(acknowledged) < 100 * (attempt + 1):
                stop.wait(0.001)
            promised = list(acknowledged)
            target = tmp_path / f"backup{attempt}"
            files = [each.path for each in contents.copied(tmp_path / "home", target, bytes(32))]
            held = set()
            for path in files:
                with (target / path).open("rb") as file:
                    held |= set(b"".join(unsealed(file, bytes(32), path.removeprefix("home/"))).decode().split())
            assert set(promised) - held == set()
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART])
def test_a_raw_segment_comes_back_and_a_part_that_is_changed_moved_or_missing_does_not(size: int) -> None:
    raw = os.urandom(size)
    parts = list(sealed(io.BytesIO(raw), bytes(32), "inbox/a"))
    assert b"".join(unsealed(io.BytesIO(b"".join(parts)), bytes(32), "inbox/a")) == raw
    head, first, *others = parts
    attacks = [[head, first[:-1] + bytes([first[-1] ^ 1]), *others], [head, *others], [head, first, *others[:-1]], [head, *others, first]]
    for attack in attacks:
        if attack != parts:
            with pytest.raises(NotOursError):
                b"".join(unsealed(io.BytesIO(b"".join(attack)), bytes(32), "inbox/a"))
    with pytest.raises(NotOursError):
        b"".join(unsealed(io.BytesIO(b"".join(parts)), bytes(32), "inbox/b"))
