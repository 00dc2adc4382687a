"""A thousand people in every store are erased and not found; with any one step broken they are; killed anywhere, it ends whole."""

import contextlib
import json
import re
from collections.abc import Iterator

import polars as pl
import psycopg
import pytest

from orchestration.erasure.run import STEPS
from orchestration.resources.warehouse_postgres import PostgresWarehouse, warehouse_url
from orchestration.verifier.certificate import is_signed
from orchestration.verifier.claims import Claim
from orchestration.verifier.witness import look
from tests.orchestration.privacy_world import END, World, broken, overlooking, planted_warehouse, world


@pytest.fixture(scope="module")
def many(request: pytest.FixtureRequest) -> Iterator[World]:
    """1,100 people of two tenants on six channels; 11,000 with --large."""
    large = request.config.getoption("--large")
    with world(leads=4_200 if large else 420, others=350 if large else 35) as made:
        yield made


def test_a_thousand_people_are_in_no_store_any_more_and_the_others_are(many: World, request: pytest.FixtureRequest) -> None:
    count = 10_000 if request.config.getoption("--large") else 1_000
    erased, left = many.plain[:count], many.plain[count:]
    assert len(erased) == count
    assert left
    before = {lead: many.values(lead) for lead in many.plain}
    for lead in erased[:20]:
        many.plant(lead, before[lead][0])
    rows = {path: path.stat().st_mtime_ns for path in many.settings.lake.rglob("*.parquet")}
    done = many.run(many.approved_all(erased))
    assert [each for each in done.values() if each.state != "closed"] == []
    assert all(many.vault.reveal(many.leads[lead][0], many.leads[lead][1]) == {} for lead in erased)
    assert {lead: set(many.values(lead)) for lead in left} == {lead: set(before[lead]) for lead in left}
    changed = [path for path, moment in rows.items() if path.stat().st_mtime_ns != moment]
    assert all("unmodelled" in str(path) or "appointments" in str(path) for path in changed)
    # an own look, with nothing of the verifier's: every raw segment, line by line
    said = _said("\n".join(line.raw.decode() for path in many.platform.inbox.done.iterdir() for line in _lines(many, path.name)))
    assert said & {each.value.removeprefix("+") for lead in left for each in before[lead] if each.kind == "phone"}
    assert said & {each.value.removeprefix("+") for lead in erased for each in before[lead] if each.kind in {"phone", "email"}} == set()


def _said(text: str) -> set[str]:
    """Every address of a text, and all that may be a number: windows of 10 to 13 digits, wherever they begin."""
    runs = set(re.findall(r"\d{10,}", text))
    windows = {run[at : at + size] for run in runs for size in range(10, 14) for at in range(len(run) - size + 1)}
    return windows | set(re.findall(r"[\w.+%-]+@[\w.-]+\w", text))


def _lines(made: World, name: str) -> Iterator[object]:
    from core.ports import Segment

    return made.platform.inbox.lines(Segment("", made.platform.inbox.done / name, 0))


def test_with_any_step_broken_the_verifier_says_where_and_a_second_run_closes(people: World) -> None:
    requests: dict[str, str] = {}
    words: set[str] = set()
    for step in ("control", *STEPS, "a number handed on", "a name"):
        lead = people.somebody()
        while step == "a name" and not _name(people, lead):
            lead = people.somebody()
        value = people.values(lead)[0]
        people.plant(lead, value)
        if step == "a name":
            (people.settings.home / "reports" / "names.html").write_text(f"<td>{_name(people, lead).upper()}</td>")
        if step == "a number handed on":
            other = people.hand_on(lead, END)
            words = _words(people, other)
        requests[step] = people.approved(lead).request_id
    planted_warehouse(people.settings.warehouse, ["nothing"])
    PostgresWarehouse(people.state.libpq_url, people.settings.lake, people.settings.reference).prepare()
    with contextlib.ExitStack() as stack:
        for step in STEPS:
            stack.enter_context(broken(step, {requests[step]} if step != "bury" else set(requests.values())))
        stack.enter_context(overlooking({requests["a number handed on"]}, handed_on=()))
        stack.enter_context(overlooking({requests["a name"]}, names=()))
        first = people.run(requests.values())
    assert all(each.state == "verifying" for each in first.values())  # nothing was buried, so traces of all are still in the files
    for step, *places in (
        ("control", "state/postgres/"),
        ("collect", "vault.points", "ops.erasures", "reports/page.html", "warehouse lake.unmodelled (opened)"),
        ("stop", "serving.dim_leads"),
        ("outbox", "ops.outbox"),
        ("quarantine", "state ops.quarantine"),
        ("inbox", "inbox"),
        ("fragments", "lake/unmodelled", "warehouse lake.unmodelled (opened)"),
        ("texts", "state dagster.event_logs"),
        ("files", "reports/page.html"),
        ("vault", "vault.points", "ops.erasures"),
        ("bury", "state/postgres/"),
        ("a number handed on", "lake/messages", "warehouse lake.messages"),
        ("a name", "reports/names.html"),
    ):
        found = [each["place"] for each in first[requests[step]].places]
        for place in places:
            assert any(each.startswith(place) for each in found), (step, place, found)
        if step in {"control", "bury"}:  # so what is found of the others is their step's
            assert all(each.startswith("state/postgres/") for each in found), found
    assert words
    second = people.run(requests.values())
    assert {each.state: each.places for each in second.values()} == {"closed": []}
    assert _words(people, other) == set()
    for request_id in requests.values():
        found_by = people.office.certificate(request_id)
        assert found_by.hits == 0
        assert is_signed(found_by.body, found_by.signature, found_by.public_key)
        assert json.loads(found_by.body)["verdict"] == "clean"
    with psycopg.connect(warehouse_url(people.state.libpq_url)) as copy:
        rows = copy.execute("select count(*), count(fragment_enc) from lake.unmodelled where event_id like 'planted%'").fetchone()
    assert rows is not None and rows[0] == rows[1] == len(requests)  # what cannot be null is empty, and no row is gone


def _name(made: World, lead_id: str) -> str:
    """A name that nobody else bears, as the verifier reads it."""
    tenant_id, points = made.leads[lead_id]
    seen = look(made.state.libpq_url, made.settings.lake, made.settings.master_key(), [Claim("x", tenant_id, lead_id, tuple(points))])
    return next((value for kind, value in seen["x"].values if kind == "name"), "")


def _words(made: World, lead_id: str) -> set[str]:
    """Messages of a lead whose text is in the lake."""
    points = made.leads[lead_id][1]
    rows = pl.read_parquet(made.settings.lake / "messages" / "*" / "*.parquet", hive_partitioning=False)
    return set(rows.filter(pl.col("contact_point_id").is_in(points) & (pl.col("text_enc").bin.size() > 0))["message_id"])
