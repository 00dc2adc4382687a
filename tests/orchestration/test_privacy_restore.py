"""A backup from before an erasure, restored: the person is still gone, whichever keys open it; the verifier itself looks."""

import gzip
import json
import uuid
from pathlib import Path

import pytest

from core.events import Point
from orchestration.backup.contents import BackupError
from orchestration.backup.erasures import log_of, read_log
from orchestration.backup.make import make
from orchestration.backup.restore import Sources, restore
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault
from orchestration.verifier.claims import Claim
from orchestration.verifier.verify import Target, verify
from orchestration.verifier.witness import look
from tests.orchestration.privacy_world import World

QUIET = TerminalProgress(quiet=True)


def _collected(made: World, value: Point, count: int) -> Path:
    """A segment that the collector still writes: lines that no source knows, the first of them about somebody."""
    path = made.settings.inbox / f".collector-{uuid.uuid4().hex}.ndjson.open"
    _write(path, value, count)
    return path


def _write(path: Path, value: Point, count: int) -> None:
    lines = [{"source": "nobody", "received_at": "2026-11-22T09:00:00Z", "headers": {}, "body": f"line {n}"} for n in range(count)]
    lines[0]["body"] = f"call {value.value}"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_with_the_newest_keys_which_know_the_person_no_more_what_the_log_names_is_taken_out_again(people: World) -> None:
    lead = people.somebody()
    tenant_id, points = people.leads[lead]
    value = people.values(lead)[0]
    entry = people.hold_in_quarantine(tenant_id, value)
    people.plant_fragment(tenant_id, value)
    settings, home = people.settings, people.settings.home
    being_written = _collected(people, value, 2)
    claim = Claim("x", tenant_id, lead, tuple(points))
    sought = look(people.state.libpq_url, settings.lake, settings.master_key(), [claim])["x"]
    target = home.parent / "before"
    make(settings, target, None, QUIET)
    closed = settings.inbox / being_written.name.removeprefix(".").removesuffix(".open")
    _write(being_written, value, 3)
    being_written.rename(closed)
    request = people.approved(lead)
    assert people.run([request.request_id])[request.request_id].state == "closed"
    make(settings, home.parent / "after", None, QUIET)
    log = read_log(log_of(settings))
    assert {each.store for each in log.places if each.request_id == request.request_id} == {"inbox", "quarantine", "lake"}
    fresh = Settings.load(home.parent / "restored", {}, is_restoring=True)
    with pytest.raises(BackupError, match="it lacks keys"):
        restore(fresh, Sources(home.parent / "after", target.with_name("before.keys"), None), QUIET)
    told = restore(fresh, Sources(target, home.parent / "after.keys", log_of(settings)), QUIET)
    assert told["erased_again"] == 0  # these keys know nobody of it
    with open_state(fresh) as state:
        vault = Vault(state, fresh.master_key())
        keys = {tenant: vault.tenant_key(tenant, "fragment") for tenant in (tenant_id, "")}
        report = verify(Target(fresh.home, {"state": state.libpq_url}, True, keys), [sought], [claim])
        assert report.hits == {}
        with state.psycopg() as connection:
            held = connection.execute("select state from ops.quarantine where quarantine_id = %s", (entry,)).fetchone()
            assert held == ("expired",)
    raw = [path.read_bytes() for path in (fresh.home / "inbox").rglob("*collector-*") if path.is_file()]
    lines = [(gzip.decompress(each) if each[:2] == b"\x1f\x8b" else each).decode().splitlines() for each in raw]
    assert [["line 1" in line for line in each] for each in lines] == [[False, True]]  # the other line of the segment is there
