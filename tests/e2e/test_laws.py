"""The laws over all sources together: however the same traffic is told, the canonical tables and the marts are the same.

Taking in runs in this process, on a real PostgreSQL and a real lake, so that hypothesis can try many ways; marts need dbt, so they are built for few
(`--large`), and once in `test_demo`.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.ingest import take_in_all
from core.columns import Column, columns
from core.events import EVENT_TYPES, ContactEvent, Event, Point, Reject
from core.intake import Accepted, read_line, take
from core.points import normalise
from core.rows import hide, points_of
from core.sealing import unseal
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.tenants import apply_file
from orchestration.simulator import Manifest, simulate
from orchestration.simulator.business import Business, make_business
from orchestration.simulator.calendly import Booking
from orchestration.simulator.wire import calendly_wire
from tests.e2e import rest_of_the_feed
from tests.e2e.conftest import fingerprints, flexoraa
from tests.e2e.mixing import Mix, Signers, canonical, mixed, rows_of, unpacked, write

END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SEED, TENANTS, LEADS, DAYS = 11, 2, 3, 8
MIXES = st.builds(
    Mix,
    seed=st.integers(0, 2**32),
    doubled=st.sampled_from((0.0, 0.3, 1.0)),
    late=st.sampled_from((0.0, 0.3, 1.0)),
    segments=st.sampled_from((1, 2, 7)),
    is_rerun=st.booleans(),
)
FORGET = "delete from ops.segments; delete from ops.segment_counts; delete from ops.quarantine"
MANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


def business_of(number: int) -> Business:
    """One of the simulated tenants."""
    return make_business(number, SEED, END - timedelta(days=DAYS), END)


def lines_of(traffic: Path) -> list[bytes]:
    """All that the simulator tells, and beside it what it does not."""
    simulated = [line for path in sorted((traffic / "inbox").iterdir()) for line in unpacked(path).split(b"\n") if line]
    return simulated + [line for number in range(TENANTS) for line in rest_of_the_feed.told(business_of(number), SEED, END)[0]]


class Installation:
    """A home with the tenants applied, and the traffic as the simulator told it."""

    def __init__(self, platform: Platform, traffic: Path, truth: Manifest) -> None:
        self.platform, self.truth = platform, truth
        self.lines = lines_of(traffic)
        apply_file(traffic / "tenants.yaml", platform.state, platform.vault, END, {})

    def take(
        self, segments: list[list[bytes]], seed: int, *, is_rerun: bool = False, read: Callable[[Path], dict[str, Any]] = canonical
    ) -> dict[str, Any]:
        """What a fresh lake holds after these segments; a rerun takes them in a second time, as if that had never been noted."""
        with tempfile.TemporaryDirectory(prefix="flexoraa-law-") as folder:
            inbox, lake = FolderInbox(Path(folder) / "inbox"), FolderLake(Path(folder) / "lake")
            inbox.folder.mkdir(parents=True)
            lake.prepare()
            for _ in range(2 if is_rerun else 1):
                with self.platform.state.begin() as connection:
                    connection.exec_driver_sql(FORGET)
                write(inbox.folder, segments, random.Random(seed))
                take_in_all(inbox, lake, self.platform.ledger, self.platform.vault, self.platform.progress)
            return read(lake.folder)

    def opened(self, lake: Path) -> dict[str, set[tuple[Any, ...]]]:
        """The rows of a lake by table, with what stands behind surrogates and hidden ids, and the plain text of what is sealed."""
        vault = self.platform.vault
        tenants = [tenant for tenant in self.truth.tenants if tenant]
        people = {key: point for tenant in tenants for key, point in vault.reveal(tenant, list(vault.kinds())).items()}
        keys = {key: found for tenant in tenants for key, found in vault.keys(tenant, list(people)).items()}
        ids = {
            hide(vault.tenant_key(tenant, "ref"), plain): plain
            for tenant, event in self.events()
            for column in columns(type(event))
            if column.role == "ref" and (plain := getattr(event, column.field)) is not None
        }

        def plain(column: Column, row: dict[str, Any]) -> object:
            value = row[column.name]
            if value is None or column.role == "plain":
                return value
            if column.role in {"point", "ref"}:
                return people[value] if column.role == "point" else ids[value]
            whose = row.get("contact_point_id")
            key = keys[whose] if whose else vault.tenant_key(row["tenant_id"], "fragment")
            return unseal(key, value, f"{row['event_id']}:{column.name}".encode())

        return {
            event.table: {
                (row["tenant_id"], *(plain(column, row) for column in columns(event) if column.field)) for row in rows_of(lake, event)
            }
            for event in EVENT_TYPES
        }

    def events(self) -> Iterator[tuple[str, Event]]:
        """Everything that is accepted, before it is sealed, with its tenant."""
        directory = self.platform.ledger.directory()
        for line in self.lines:
            envelope = read_line(line)
            for what in take(envelope, directory) if hasattr(envelope, "body") else ():
                if isinstance(what, Accepted) and not any(
                    isinstance(normalise(point, what.account.region), Reject) for point in points_of(what.event)
                ):
                    yield what.account.tenant_id, what.event


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Small, and of every source."""
    out = tmp_path_factory.mktemp("traffic")
    return out, simulate(out, tenants=TENANTS, leads=LEADS, others=8, days=DAYS, seed=SEED, end_at=END, receiver_url=None)


@pytest.fixture(scope="module")
def here(traffic: tuple[Path, Manifest]) -> Iterator[Installation]:
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {})) as platform,
    ):
        yield Installation(platform, *traffic)


@pytest.fixture(scope="module")
def before(here: Installation) -> dict[str, tuple[int, str]]:
    """The canonical tables of the traffic as it was told, which hold just what was planted."""
    found = here.take([here.lines], 0)
    assert {table: rows for table, (rows, _) in found.items() if rows} == _rows_with_both_tellings(here)
    return found


def _rows_with_both_tellings(here: Installation) -> dict[str, int]:
    """Planted events, and the second telling of what our own feed and a channel, or two mailboxes, tell differently.

    So does Meta of a comment that it sends again: it has no time but that of being sent.
    """
    told: dict[str, set[tuple[object, ...]]] = {}
    for tenant, event in here.events():
        sent_at = event.occurred_at if isinstance(event, ContactEvent) and event.kind == "commented" else None
        told.setdefault(event.table, set()).add((tenant, event.event_id, event.source, event.account_id, sent_at))
    counted = {table: len({key[:2] for key in keys}) for table, keys in told.items()}
    rest = [rest_of_the_feed.told(business_of(number), SEED, END)[1] for number in range(TENANTS)]
    assert counted == sum(rest, here.truth.accepted())
    return {table: len(keys) for table, keys in told.items()}


def _same(here: Installation, before: dict[str, tuple[int, str]], mix: Mix) -> None:
    segments = list(mixed(here.lines, mix, Signers(SEED, TENANTS, END, DAYS)))
    after = here.take(segments, mix.seed, is_rerun=mix.is_rerun)
    assert after == before, {table: (before[table], after[table]) for table in before if before[table] != after[table]}


@given(mix=MIXES)
@settings(MANY, max_examples=8)
def test_any_order_copies_split_lateness_and_rerun_give_the_same_canonical_tables(
    here: Installation, before: dict[str, tuple[int, str]], mix: Mix
) -> None:
    _same(here, before, mix)


@pytest.mark.large
@given(mix=MIXES)
@settings(MANY, max_examples=150)
def test_in_many_more_ways(here: Installation, before: dict[str, tuple[int, str]], mix: Mix) -> None:
    _same(here, before, mix)


def test_the_traffic_of_the_laws_is_of_every_source_and_fills_every_table(here: Installation, before: dict[str, tuple[int, str]]) -> None:
    events = list(here.events())
    assert {event.source for _, event in events} == {"calendly", "gmail", "instagram", "messenger", "platform", "razorpay", "whatsapp"}
    assert {table for table, (rows, _) in before.items() if rows} == {each.table for each in EVENT_TYPES}
    assert len({(event.source, event.table, getattr(event, "kind", "")) for _, event in events}) > 60


def test_the_law_notices_an_event_that_is_lost_and_one_that_says_something_else(
    here: Installation, before: dict[str, tuple[int, str]]
) -> None:
    number = next(n for n, line in enumerate(here.lines) if b'"source":"calendly"' in line and b"invitee.canceled" in line)
    tellings = [line for line in here.lines if json_body(line) != json_body(here.lines[number])]
    lost = here.take([tellings], 1)
    assert {table for table in before if lost[table] != before[table]} == {"appointments", "contact_events"}


def json_body(line: bytes) -> bytes:
    """What a line says, without when it came."""
    return line.partition(b'"body":')[2]


def test_another_vault_gives_the_same_events_seen_through_it(here: Installation, traffic: tuple[Path, Manifest]) -> None:
    """Surrogates, hidden ids and ciphertexts are another installation's own; opened, they are the same."""
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {})) as platform,
    ):
        there = Installation(platform, *traffic)
        opened = [each.take([lines], 5, read=each.opened) for each, lines in ((here, here.lines), (there, there.lines[::-1]))]
    assert opened[0] == opened[1]
    assert sum(map(len, opened[0].values())) > 800


def test_a_booking_through_a_link_of_ours_is_evidence_that_the_invitee_is_the_lead_of_whatsapp(here: Installation) -> None:
    """A lead's id is known only after intake, so the simulator cannot plant it: here the traffic comes first and the booking after it."""
    vault = here.platform.vault
    tenant, message = next((tenant, event) for tenant, event in here.events() if event.table == "messages" and event.source == "whatsapp")
    phone = vault.points(tenant, {message.contact})[message.contact].point_id  # type: ignore[attr-defined]  # a Message has one
    business = next(each for number in range(TENANTS) if (each := business_of(number)).id == tenant)
    lead_id, at = f"lead_{phone.removeprefix('cp_')}", END - timedelta(hours=5)
    booking = Booking(
        user=business.accounts["calendly"], event_id="E1", invitee_id="I1", event_type="T1", email="new@people.example", name="N",
        timezone="UTC", starts_at=END, created_at=at, lead_id=lead_id,
    )  # fmt: skip
    wire = calendly_wire(booking.body("invitee.created", at), business.secrets["calendly"], at)
    links = here.take([here.lines, [wire.line(at)]], 1, read=lambda lake: {"links": set(FolderLake(lake).links(END))})["links"]
    invitee = vault.points(tenant, {Point("email", "new@people.example")})[Point("email", "new@people.example")].point_id
    assert (tenant, "utm_lead", invitee, lead_id, at, "calendly") in links
    assert all(link.other_point_id != lead_id for link in links if link.point_id != invitee)


@pytest.mark.large
@pytest.mark.parametrize("seed", range(4))
def test_any_order_copies_split_and_lateness_give_the_same_marts(
    traffic: tuple[Path, Manifest], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Through the command, with every step, about 40 s a build; the mix in two runs, of which the first knows a part and sends nothing."""
    out, truth = traffic
    lines = lines_of(out)
    with tempfile.TemporaryDirectory(prefix="flexoraa-law-") as folder:
        home = Path(folder) / "home"
        assert flexoraa("tenant", "apply", out / "tenants.yaml", "--home", home).code == 0
        prints = []
        for mix in (Mix(0, 0, 0, 1), Mix(seed, 0.5, 0.5, 5)):
            _forget(home)
            segments = list(mixed(lines, mix, Signers(SEED, TENANTS, END, DAYS), END))
            for number, part in enumerate(each for each in (segments[1:3], segments[:1] + segments[3:]) if each):
                write(home / "inbox", part, random.Random(seed + number))
                ran = flexoraa(
                    "run", "--as-of", END.isoformat(), "--home", home, "--quiet", *([] if segments[0] in part else ["--dry-run"])
                )
                assert ran.code == 3, ran.err  # 3: the planted rejects
            prints.append(fingerprints(home))
        assert truth.tenants
        assert prints[0] == prints[1]


def _forget(home: Path) -> None:
    """The lake and all notes of it; the vault stays."""
    loaded = Settings.load(home, {})
    with open_platform(loaded) as platform, platform.state.begin() as connection:
        connection.exec_driver_sql(FORGET)
    for path in [*loaded.lake.rglob("*.parquet"), *loaded.inbox.rglob("*.ndjson*")]:
        path.unlink()
    loaded.warehouse.unlink(missing_ok=True)
