"""Whose each matter of a lead is, against plain Python that gives leads away one by one."""

import csv
from datetime import datetime, timedelta

import duckdb

from assets.project import PROJECT
from tests.dbt import engines
from tests.dbt.histories import AS_OF, History
from tests.dbt.tiers import became_hot, wanted_persons
from tests.oracles.common import Holders
from tests.oracles.hours import Span
from tests.oracles.routing import Office, routings

DONE = ("assigned", "unassigned", "won", "lost")


def test_a_lead_is_given_to_the_least_burdened_then_longest_idle_of_those_at_work(built: duckdb.DuckDBPyConnection, made: History) -> None:
    holders = Holders(row for row in made.reference["lead_points"] if row.valid_from <= AS_OF)
    done: dict[tuple[str, str], list[tuple[datetime, int, str, str, str | None]]] = {}
    named: dict[tuple[str, str], list[datetime]] = {}
    for table in ("lead_events", "contact_events", "messages"):
        for row in made.known(table, AS_OF):
            lead, at, person = holders.lead(row), row["occurred_at"], row.get("person_id")
            if lead is None:
                continue
            if person:
                named.setdefault((row["tenant_id"], person), []).append(at)
            kind = row.get("kind")
            if table == "lead_events" and kind in DONE:
                done.setdefault((row["tenant_id"], lead), []).append((at, 1, kind, row["event_id"], person))
            if kind in ("opted_out", "blocked"):
                done.setdefault((row["tenant_id"], lead), []).append((at, 1, "opted_out", row["event_id"], None))
    calendars: dict[tuple[str, str], list[Span]] = {}
    for each in made.reference["business_intervals"]:
        calendars.setdefault((each.tenant_id, each.calendar_id), []).append((each.opened_at, each.closed_at))
    office = Office(
        made.reference["people"],
        calendars,
        {key: [(kind, person, at) for at, _, kind, _, person in sorted(rows, key=lambda row: row[:4])] for key, rows in done.items()},
        named,
        {"routing": timedelta(hours=1), "escalation": timedelta(hours=24)},
    )
    hot = [(tenant, lead, "routing", event, at) for tenant, lead, event, at in became_hot(built, made, holders)]
    matters = hot + [(tenant, lead, "escalation", event, at) for tenant, lead, _, event, at in wanted_persons(built)]
    found = built.execute("select tenant_id, rule, trigger_event_id, assigned_to, is_in_hands, works_from_at from marts.fct_lead_routings")
    expected = routings(matters, office)
    assert {row[:3]: row[3:] for row in found.fetchall()} == expected
    assert {person for person, _, _ in expected.values()} >= {"p0", "p1", "p2", "p3", "m0", "m1"}
    assert {is_in_hands for _, is_in_hands, _ in expected.values()} == {True, False}
    if engines.chosen() is None:  # what is between marts is read on DuckDB only
        queued = built.execute("select max(waiting_before), max(need_no) from intermediate.int_lead_needs__queued").fetchone()
        assert queued is not None
        assert min(queued) > 2


def test_the_notice_names_the_person(built: duckdb.DuckDBPyConnection) -> None:
    told = built.execute(
        "select r.details ->> 'assigned_to', f.assigned_to from marts.act_requests as r inner join marts.fct_lead_routings as f "
        "on r.tenant_id = f.tenant_id and r.rule = f.rule and r.trigger = f.trigger_event_id"
    ).fetchall()
    assert len(told) > 20
    assert all(in_notice == in_mart for in_notice, in_mart in told)


def test_a_suspension_and_its_end_are_told(built: duckdb.DuckDBPyConnection, made: History) -> None:
    with (PROJECT / "seeds" / "account_alerts.csv").open(encoding="utf-8", newline="") as file:
        alerts = {(row["kind"], row["state"]): row["alert"] for row in csv.DictReader(file)}
    expected = {
        (row["tenant_id"], alerts[row["kind"], row["state"]], row["event_id"], row["occurred_at"])
        for row in made.known("account_events", AS_OF)
        if (row["kind"], row["state"]) in alerts
    }
    found = built.execute("select tenant_id, subject, trigger, due_at from marts.act_requests where rule = 'suspension'").fetchall()
    assert set(found) == expected
    assert expected
