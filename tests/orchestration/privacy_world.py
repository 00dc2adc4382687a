"""An installation with people in every store, and hands that make requests for them: what the tests of privacy share.

Not here: what must be true.
"""

import contextlib
import dataclasses
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from assets.leads import resolve_leads
from assets.pending import take_in_all
from core.events import Point
from core.identity_ports import Leads
from core.privacy import Request
from core.sealing import seal
from orchestration.erasure import run as eraser
from orchestration.erasure.subjects import Subject
from orchestration.gdpr_command import execution_of, office_of
from orchestration.privacy_office import Office
from orchestration.privacy_run import Execution, Ran
from orchestration.resources.clock import FixedClock
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings
from orchestration.resources.tenants import apply_file
from orchestration.simulator import simulate

END = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OPERATOR, OTHER, MANAGER = "p_ben", "p_chen", "p_asha"
DAGSTER = "create table if not exists dagster.event_logs (id bigserial primary key, event text not null)"


@dataclasses.dataclass
class World:
    """A home whose people are known, open."""

    platform: Platform

    def __post_init__(self) -> None:
        self.planted = 0
        self.had: set[str] = set()
        self.settings, self.state, self.vault = self.platform.settings, self.platform.state, self.platform.vault

    @property
    def office(self) -> Office:
        return office_of(self.platform)

    @property
    def execution(self) -> Execution:
        return execution_of(self.platform)

    def at(self, moment: datetime) -> Office:
        return dataclasses.replace(self.office, clock=FixedClock(moment))

    def take_in(self) -> None:
        p = self.platform
        p.lake.prepare()
        take_in_all(p.inbox, p.lake, p.ledger, p.vault, p.progress)
        self.resolve()

    def resolve(self) -> None:
        p = self.platform
        found = resolve_leads(p.lake, p.vault, p.identity, END)
        p.reference.export(END, (END.date(), END.date()), Leads(found.points, found.aliases, found.links))
        self.leads: dict[str, tuple[str, list[str]]] = {}
        for each in found.points:
            self.leads.setdefault(each.lead_id, (each.tenant_id, []))[1].append(each.point_id)
        # Whoever goes by two ids is asked for by one and noted under the other.
        two_named = {name for each in found.aliases for name in (each.alias_id, each.lead_id)}
        self.plain = sorted(self.leads.keys() - two_named)
        self.pool = (each for each in self.plain if each not in self.had)

    def somebody(self, kind: str = "phone") -> str:
        """A lead that no test has had yet, with a point of a kind that is its own."""
        found = next(lead for lead in self.pool if self.values(lead) and self.values(lead)[0].kind == kind)
        self.had.add(found)
        return found

    def values(self, lead_id: str) -> list[Point]:
        tenant_id, points = self.leads[lead_id]
        return list(self.vault.reveal(tenant_id, points).values())

    def approved(self, lead_id: str, kind: str = "erasure") -> Request:
        made = self.office.request(self.leads[lead_id][0], kind, lead_id, OPERATOR, "a letter")  # type: ignore[arg-type]
        self.office.verify_identity(made.request_id, OTHER)
        return self.office.decide(made.request_id, MANAGER, "nothing is open", is_approval=True)

    def approved_all(self, lead_ids: Sequence[str]) -> list[str]:
        """The same for many at once, by the same role and under the same trigger."""
        ids = {lead: f"pr_{n:016x}" for n, lead in enumerate(lead_ids, 1)}
        with self.state.psycopg() as connection:
            connection.cursor().executemany(
                "insert into ops.privacy_requests (request_id, tenant_id, kind, origin, lead_id, point_ids, requested_by, requested_at, due_at) "
                "values (%s, %s, 'erasure', 'command', %s, %s, %s, %s, %s + interval '30 days')",
                [(ids[lead], self.leads[lead][0], lead, sorted(set(self.leads[lead][1])), OPERATOR, END, END) for lead in lead_ids],
            )
            connection.execute("update ops.privacy_requests set state = 'verified', verified_by = %s, verified_at = %s", (OTHER, END))
            connection.execute("update ops.privacy_requests set state = 'approved', decided_by = %s, decided_at = %s", (MANAGER, END))
        return list(ids.values())

    def run(self, request_ids: Collection[str], watch: Callable[[str, str], None] | None = None) -> dict[str, Ran]:
        execution = self.execution if watch is None else dataclasses.replace(self.execution, watch=watch)
        return {each.request_id: each for each in execution.run(request_ids, OPERATOR)}

    def plant(self, lead_id: str, value: Point) -> None:
        """What no rule puts there: the person in a payload, in Dagster's events, in a report, a log and a published row."""
        tenant_id, points = self.leads[lead_id]
        with self.state.owner() as connection:
            connection.execute(DAGSTER)
            connection.execute("insert into dagster.event_logs (event) values (%s)", (f'{{"message": "failed for {value.value}"}}',))
            connection.execute(
                "insert into ops.outbox (action_id, tenant_id, rule, kind, channel, lead_id, point_id, subject, trigger, details, due_at, "
                "expires_at, state, requested_at, updated_at, provider_ref) values (%s, %s, 'cold_recovery', 'send_template', 'whatsapp', "
                "%s, %s, 'x', 'y', jsonb_build_object('to', %s::text), %s, %s, 'requested', %s, %s, 'wamid.x') on conflict do nothing",
                (f"a_{lead_id}", tenant_id, lead_id, points[0], value.value, END, END, END, END),
            )
            connection.execute("create table if not exists serving.dim_leads (tenant_id text, lead_id text, is_erased boolean)")
            connection.execute("insert into serving.dim_leads (tenant_id, lead_id, is_erased) values (%s, %s, false)", (tenant_id, lead_id))
            connection.execute("grant all on serving.dim_leads to flexoraa_service")
        self.plant_fragment(tenant_id, value)
        self.hold_in_quarantine(tenant_id, value)
        for place in ("reports/page.html", "logs/run.log"):
            with (self.settings.home / place).open("a", encoding="utf-8") as file:
                file.write(f"<p>{value.value.upper()}</p>\n")

    def plant_fragment(self, tenant_id: str, value: Point) -> None:
        """In the lake, in an event that names nobody, under the tenant's own key."""
        self.planted += 1
        event_id = f"planted_{self.planted}"
        sealed = seal(
            self.vault.tenant_key(tenant_id, "fragment"), f'{{"from": "{value.value}"}}'.encode(), f"{event_id}:fragment_enc".encode()
        )
        path = next((self.settings.lake / "unmodelled").rglob("*.parquet"))
        rows = pq.read_table(path, partitioning=None).to_pylist()
        rows.append(rows[0] | {"tenant_id": tenant_id, "event_id": event_id, "contact_point_id": None, "fragment_enc": sealed})
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)

    def hold_in_quarantine(self, tenant_id: str, value: Point) -> str:
        """A body that was turned away; its entry's id."""
        segment = uuid.uuid4().hex
        key = self.vault.tenant_key(tenant_id, "fragment")
        sealed = seal(key, f'{{"body": "{value.value}"}}'.encode(), f"{segment}:1:1".encode())
        with self.state.psycopg() as connection:
            connection.execute(
                "insert into ops.quarantine (quarantine_id, segment_id, line, item, tenant_id, source, reason, place, detail, body_enc, "
                "key_id) values (%s, %s, 1, 1, %s, 'whatsapp', 'bad_shape', 'line 1', '', %s, 'k')",
                (f"{segment}-1-1", segment, tenant_id, sealed),
            )
        return f"{segment}-1-1"

    def hand_on(self, lead_id: str, until: datetime) -> str:
        """As if a number of somebody else's had been this lead's until then; whose it is."""
        path = self.settings.reference / "lead_points.parquet"
        rows = pq.read_table(path).to_pylist()
        other = self.somebody()
        row = next(each for each in rows if each["lead_id"] == other)
        rows.append(row | {"lead_id": lead_id, "valid_to": until})
        row["valid_from"] = until
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)
        return other


def planted_warehouse(path: Path, values: Sequence[str]) -> None:
    """A warehouse with texts in compressed blocks."""
    with duckdb.connect(str(path)) as database:
        database.execute("create schema marts; create table marts.notes as select unnest(?::text[]) as note", [list(values)])
        database.execute("checkpoint")


@contextlib.contextmanager
def world(leads: int, others: int, days: int = 7, tenants: int = 2) -> Iterator[World]:
    """A home directly below the temporary folder (pytest's own folders make socket paths long), its traffic taken in."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as name:
        folder = Path(name)
        simulate(folder / "traffic", tenants=tenants, leads=leads, others=others, days=days, seed=3, end_at=END, receiver_url=None)
        settings = Settings.load(folder / "home", {})
        with open_platform(settings, FixedClock(END), TerminalProgress(quiet=True)) as platform:
            apply_file(folder / "traffic" / "tenants.yaml", platform.state, platform.vault, END, {})
            for path in (folder / "traffic" / "inbox").iterdir():
                path.rename(settings.inbox / path.name)
            made = World(platform)
            made.take_in()
            yield made


@contextlib.contextmanager
def broken(step: str, skipped: Collection[str]) -> Iterator[None]:
    """The eraser with one step that passes over some requests."""
    if step == "collect":
        with overlooking(skipped, points=(), handed_on=(), names=(), traces=()):
            yield
        return
    whole = eraser._MAKE[step]

    def part(stores: eraser.Stores, job: eraser.Job) -> dict[str, object]:
        kept = [(r, s) for r, s in zip(job.requests, job.subjects, strict=True) if r.request_id not in skipped]
        if not kept:
            return {}
        left = eraser.Job([r for r, _ in kept], [s for _, s in kept], eraser.finder([s for _, s in kept]))
        return whole(stores, left)

    eraser._MAKE[step] = part
    try:
        yield
    finally:
        eraser._MAKE[step] = whole


@contextlib.contextmanager
def overlooking(whose: Collection[str], **left: Any) -> Iterator[None]:
    """The eraser when it knows less of some than there is: these fields of a subject alone, or what a function leaves of it."""
    whole = eraser.collect

    def part(*arguments: Any) -> dict[str, Subject]:
        made = whole(*arguments)
        return {
            key: msgspec.structs.replace(each, **{name: value(each) if callable(value) else value for name, value in left.items()})
            if key in whose
            else each
            for key, each in made.items()
        }

    eraser.collect = part  # type: ignore[assignment]
    try:
        yield
    finally:
        eraser.collect = whole
