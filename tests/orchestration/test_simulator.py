"""The simulator: repeatable, in shapes that the decoders take, with a manifest that counts what is really there.

The counts are checked by reading the segments back through `core.intake`, which shares no code with the simulator; planted
outcomes are compared with the marts in `tests/e2e`.
"""

import doctest
import gzip
import hashlib
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import msgspec
import phonenumbers
import pytest
import zstandard

from core import business_time
from core.events import AccountEvent, ContactEvent, Event, Reject
from core.intake import (
    Accepted,
    Account,
    Directory,
    Envelope,
    Rejected,
    read_line,
    take,
)
from core.points import normalise
from core.rows import points_of
from core.sources import sources
from core.tenancy import Tenant
from core.tenancy_checks import check
from core.tenancy_file import read
from core.tenancy_rows import accounts, calendars
from orchestration.simulator import Manifest, SimulationError, billing, lead, people, phrases, simulate, wire
from orchestration.simulator import chance as chances
from orchestration.simulator.chance import chance
from orchestration.simulator.hours import DAYS, Hours
from orchestration.simulator.people import NUMBERING, next_phone, phone
from orchestration.simulator.stories import STORIES, choose
from orchestration.simulator.wire import meta_json

END = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KINDS = {"no_reply", "hot_unassigned", "assigned_idle", "no_next_step", "window_closing", "no_show"}
METRICS = {"first_response", "next_response", "resolution", "hand_over"}


def run(out: Path, **changes: object) -> Manifest:
    """A small simulation."""
    arguments = {"tenants": 3, "leads": 45, "days": 14, "seed": 7, "end_at": END, "receiver_url": "http://127.0.0.1:9"}
    return simulate(out, **(arguments | changes))  # type: ignore[arg-type]


def digest(folder: Path) -> dict[str, str]:
    """Every file by its hash."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lines(folder: Path) -> Iterator[bytes]:
    """All lines of all segments."""
    for path in sorted((folder / "inbox").iterdir()):
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        elif path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().stream_reader(data).read()
        yield from data.split(b"\n")[:-1]


def tenants(folder: Path) -> list[Tenant]:
    """The tenants of the file, which must be without any problem."""
    reading = read((folder / "tenants.yaml").read_text(encoding="utf-8"))
    assert [*reading.problems, *check(reading)] == []
    return list(reading.tenants.values())


def directory(folder: Path) -> Directory:
    """The connections as ingestion sees them."""
    found: dict[tuple[str, str], list[Account]] = {}
    for tenant in tenants(folder):
        for connection in tenant.connections:
            secrets = tuple((folder / each.file).read_bytes() for each in connection.verify_secrets if each.file)
            for account in accounts(connection):
                row = Account(tenant.id, tenant.default_region, connection.valid_from, connection.valid_to, secrets)
                found.setdefault((connection.source, account), []).append(row)
    return Directory(found)


class Taken:
    """What `core.intake` makes of a simulation."""

    def __init__(self, folder: Path) -> None:
        self.rejects: dict[str, Counter[str]] = {}
        self.accepted: dict[str, Counter[str]] = {}
        self.duplicates: dict[str, Counter[str]] = {}
        self.events: dict[tuple[str, str, str], Event] = {}
        self.latest = datetime.min.replace(tzinfo=UTC)
        self.longest_delay = timedelta()
        self.lines = 0
        self._told: dict[tuple[str, str, str], list[tuple[datetime, str]]] = {}
        known = directory(folder)
        for line in lines(folder):
            self.lines += 1
            self._line(line, known)
        for (tenant, _, _), told in self._told.items():  # whatever is told later repeats what was told first
            self.duplicates.setdefault(tenant, Counter()).update(source for _, source in sorted(told)[1:])

    def _line(self, line: bytes, known: Directory) -> None:
        envelope = read_line(line)
        if isinstance(envelope, Reject):
            self._reject("", envelope)
            return
        self.latest = max(self.latest, envelope.received_at)
        for what in take(envelope, known):
            if isinstance(what, Rejected):
                self._reject(what.tenant_id, what.reject)
                continue
            points = [normalise(each, what.account.region) for each in points_of(what.event)]
            bad = [each for each in points if isinstance(each, Reject)]
            if bad:
                self._reject(what.account.tenant_id, bad[0])
                continue
            self._event(envelope, what.account.tenant_id, what.event)

    def _reject(self, tenant: str, reject: Reject) -> None:
        self.rejects.setdefault(tenant, Counter())[reject.reason] += 1

    def _event(self, envelope: Envelope, tenant: str, event: Event) -> None:
        key = (tenant, event.table, event.event_id)
        self._told.setdefault(key, []).append((envelope.received_at, event.source))
        if key in self.events:
            earlier = self.events[key]
            if (earlier.source, earlier.account_id) == (event.source, event.account_id) and not _is_untold(event):
                assert earlier == event, "a repeat must say the same, so that it meets the first in one partition"
            return
        self.events[key] = event
        self.accepted.setdefault(tenant, Counter())[event.table] += 1
        self.longest_delay = max(self.longest_delay, envelope.received_at - event.occurred_at)
        assert event.occurred_at <= END


def _is_untold(event: Event) -> bool:
    """Pages of a mailbox's history tell no time, so it is that of receipt; comments only when Meta told of them, which a retry does anew."""
    is_comment = isinstance(event, ContactEvent) and event.kind in {"commented", "mentioned"}
    return is_comment or (event.source == "gmail" and isinstance(event, AccountEvent))


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("simulation")
    return out, run(out, is_huge_body_planted=True)


@pytest.fixture(scope="module")
def taken(simulation: tuple[Path, Manifest]) -> Taken:
    return Taken(simulation[0])


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b")
    run(tmp_path / "c", seed=8)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_a_second_simulation_into_the_same_folder_replaces_the_first(tmp_path: Path) -> None:
    run(tmp_path / "a", leads=60)
    run(tmp_path / "a", leads=40)
    run(tmp_path / "b", leads=40)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_spool_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "in_memory")
    monkeypatch.setattr("orchestration.simulator.segments._WAITING", 20_000)
    run(tmp_path / "spooled")
    assert digest(tmp_path / "in_memory") == digest(tmp_path / "spooled")


def test_the_manifest_comes_back_from_its_file(simulation: tuple[Path, Manifest]) -> None:
    out, manifest = simulation
    assert Manifest.load(out / "truth.json") == manifest


def test_secrets_are_for_their_owner_alone(simulation: tuple[Path, Manifest]) -> None:
    files = list((simulation[0] / "secrets").iterdir())
    assert len(files) == 3 * 9
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_every_planted_reject_is_refused_for_its_reason(simulation: tuple[Path, Manifest], taken: Taken) -> None:
    planted = {tenant: truth.rejects for tenant, truth in simulation[1].tenants.items()}
    assert taken.rejects == planted
    assert set(simulation[1].rejects()) == {
        "wrong_signature", "unknown_account", "not_json", "bad_shape", "bad_time", "bad_contact",
        "invalid_utf8", "too_large", "bad_line",
    }  # fmt: skip


def test_every_event_and_every_repeat_is_counted(simulation: tuple[Path, Manifest], taken: Taken) -> None:
    truths = {tenant: truth for tenant, truth in simulation[1].tenants.items() if tenant}
    assert taken.accepted == {tenant: truth.accepted for tenant, truth in truths.items()}
    assert taken.duplicates == {tenant: truth.duplicates for tenant, truth in truths.items()}
    assert {truth.accepted["unmodelled"] for truth in truths.values()} == {3 + 2 + 2}
    assert all(set(truth.duplicates) == set(sources()) for truth in truths.values())


def test_lines_bodies_and_segments_are_counted(simulation: tuple[Path, Manifest], taken: Taken) -> None:
    out, manifest = simulation
    assert manifest.lines == taken.lines
    assert manifest.bodies == taken.lines - taken.rejects[""]["bad_line"] - taken.rejects[""]["invalid_utf8"]
    names = [path.name for path in (out / "inbox").iterdir()]
    assert manifest.segments == len(names)
    assert {name.partition(".")[2] for name in names} == {"ndjson", "ndjson.gz", "ndjson.zst"}


def test_webhooks_are_late_out_of_order_and_mixed(simulation: tuple[Path, Manifest], taken: Taken) -> None:
    assert taken.latest <= END
    assert timedelta(days=1) < taken.longest_delay <= timedelta(days=7)
    stamps = [each.received_at for line in lines(simulation[0]) if isinstance(each := read_line(line), Envelope)]
    assert stamps != sorted(stamps)
    known = directory(simulation[0])
    first = min((simulation[0] / "inbox").glob("*.ndjson"))
    envelopes = [each for line in first.read_bytes().splitlines() if isinstance(each := read_line(line), Envelope)]
    seen = {what.account.tenant_id for each in envelopes for what in take(each, known) if isinstance(what, Accepted)}
    assert len(seen) == 3


def test_every_kind_is_planted_for_every_tenant(simulation: tuple[Path, Manifest]) -> None:
    for tenant, truth in simulation[1].tenants.items():
        if tenant:
            assert {leak.kind for leak in truth.leaks_open} == KINDS
            assert {leak.kind for leak in truth.leaks_ever} == KINDS
            assert {each.attempt for each in truth.recovery_due} == {1, 2, 3}
            assert truth.hot
            assert truth.number_changes
            assert truth.opt_outs
            assert {each.metric for each in truth.sla_met} == METRICS
            assert {each.metric for each in truth.sla_breached} == METRICS
            assert {each.metric for each in truth.sla_overdue} == METRICS - {"first_response"}
            assert truth.sla_nearly_due
    crossed = [truth.thresholds_crossed for tenant, truth in simulation[1].tenants.items() if tenant]
    assert crossed == [[20], [20, 10], []]


def test_wanted_actions_are_the_open_leaks_the_due_attempts_the_crossed_thresholds_and_the_service_levels_at_risk(
    simulation: tuple[Path, Manifest],
) -> None:
    manifest = simulation[1]
    for tenant, truth in manifest.tenants.items():
        own = [each for each in manifest.actions if each.tenant == tenant]
        leaks = {(each.phone, each.leak) for each in own if each.rule == "lead_leak"}
        assert leaks == {(each.phone, each.kind) for each in truth.leaks_open}
        assert {each.phone for each in own if each.rule == "cold_recovery"} == {each.phone for each in truth.recovery_due}
        for rule, planted in (("sla_breach", truth.sla_overdue), ("sla_warning", truth.sla_nearly_due)):
            assert {(each.phone, each.metric) for each in own if each.rule == rule} == {(each.phone, each.metric) for each in planted}
        assert [each.percent for each in own if each.rule == "token_threshold"] == truth.thresholds_crossed
    assert len(manifest.actions) == len({msgspec.json.encode(each) for each in manifest.actions})


def test_canaries_stand_in_the_traffic(simulation: tuple[Path, Manifest]) -> None:
    canaries = simulation[1].canaries
    bodies = [each.body for line in lines(simulation[0]) if isinstance(each := read_line(line), Envelope)]
    everything = "\n".join(body for body in bodies if len(body) < 1_000_000)
    for value in [*canaries.emails, *canaries.texts, *canaries.names, *(each[1:] for each in canaries.phones)]:
        assert meta_json({"": value})[5:-2] in everything


def test_what_is_planted_is_one_persons_alone(simulation: tuple[Path, Manifest], taken: Taken) -> None:
    """Every phone of the truth is one that the traffic names, and a lead has one story."""
    seen = {(tenant, normalise(p, "IN").value) for (tenant, _, _), event in taken.events.items() for p in points_of(event)}  # type: ignore[union-attr]
    for tenant, truth in simulation[1].tenants.items():
        due = {each.phone for each in truth.recovery_due}
        open_leaks = {each.phone for each in truth.leaks_open}
        assert {(tenant, each) for each in due | open_leaks | set(truth.hot) | set(truth.opt_outs)} <= seen
        assert not due & (open_leaks | set(truth.hot) | set(truth.opt_outs))


@pytest.mark.parametrize("end", [datetime(2026, 3, 1, 3, tzinfo=UTC) + timedelta(days=d, hours=5 * d) for d in range(9)])
@pytest.mark.parametrize("days", [7, 12, 30])
def test_any_end_will_do(tmp_path: Path, end: datetime, days: int) -> None:
    """Also on Sundays, at night, and when the clocks change: every story finds its place."""
    manifest = run(tmp_path, tenants=4, leads=40, end_at=end, days=days)
    open_leaks = [{leak.kind for leak in truth.leaks_open} for tenant, truth in manifest.tenants.items() if tenant]
    assert all(kinds == KINDS for kinds in open_leaks)


def test_hours_agree_with_the_platforms_business_time(simulation: tuple[Path, Manifest]) -> None:
    """Two routes to one number."""
    rng = chance(1, "moments")
    for tenant in tenants(simulation[0]):
        week = {day: getattr(tenant.calendars[0].week, day) for day in DAYS}
        start, end = END - timedelta(days=40), END + timedelta(days=2)
        hours = Hours(tenant.timezone, week, tenant.calendars[0].holidays, start, end)
        rows = business_time.intervals(tenant.id, calendars(tenant), start.date(), end.date())
        for _ in range(20):
            low, high = sorted(start + rng.random() * timedelta(days=40) for _ in range(2))
            assert hours.elapsed(low, high) == business_time.elapsed(rows, low, high)
            if hours.elapsed(low, high) > timedelta(hours=1):
                assert hours.elapsed(hours.before(high, timedelta(hours=1)), high) == timedelta(hours=1)
                assert hours.elapsed(low, hours.after(low, timedelta(hours=1))) == timedelta(hours=1)


@pytest.mark.parametrize("module", [billing, chances, lead, people, phrases, wire])
def test_doctests(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("region", sorted(NUMBERING))
def test_numbers_are_possible_and_all_different(region: str) -> None:
    numbers = [phone(region, index, 123) for index in range(2000)]
    numbers += [next_phone(each) for each in numbers]
    assert len(set(numbers)) == 4000
    assert all(phonenumbers.is_possible_number(phonenumbers.parse(f"+{each}")) for each in numbers)


def test_with_as_many_leads_as_stories_each_is_told() -> None:
    assert {story.tell for story in choose(40, 14, chance(1))} == {story.tell for story in STORIES}


@pytest.mark.parametrize(("change", "says"), [({"days": 6}, "at least 7 days"), ({"end_at": datetime(2026, 1, 1)}, "offset")])  # noqa: DTZ001 — that is the mistake
def test_arguments_that_make_no_sense_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(SimulationError, match=says):
        run(tmp_path, **change)
    assert not list(tmp_path.iterdir())
