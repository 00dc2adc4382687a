"""Lineage of columns: on SQL small enough to see it, and on the whole project by what must hold of every mart."""

import json
from typing import Any

import dagster as dg
import pytest

from assets.project import LINEAGE, MANIFEST
from orchestration.definitions import build_defs
from orchestration.resources.lineage import ensure_lineage, lineage

PLANTED = """
with said as (select * from "warehouse"."lake"."messages"),
newest as (select tenant_id, max(occurred_at) as last_at from said group by tenant_id
    union all select tenant_id, occurred_at from "warehouse"."touched"."calls" where kind = 'call')
select newest.tenant_id, newest.last_at, case when calls.kind = 'x' then calls.account_id end as told, count(*) as n
from newest left join "warehouse"."touched"."calls" as calls on newest.tenant_id = calls.tenant_id
group by 1, 2, 3
"""


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[list[str]]]]:
    ensure_lineage()
    read: dict[str, dict[str, list[list[str]]]] = json.loads(LINEAGE.read_bytes())
    return read


def node(name: str, schema: str, parents: list[str], kind: str = "model") -> dict[str, Any]:
    return {"name": name, "schema": schema, "resource_type": kind, "depends_on": {"nodes": parents}}


def test_a_column_is_made_of_what_its_value_comes_from_and_not_of_what_chooses_rows() -> None:
    manifest = {
        "sources": {"s.messages": node("messages", "lake", [], "source")},
        "nodes": {"m.calls": node("calls", "staging", ["s.messages"]), "m.mart": node("mart", "marts", ["s.messages", "m.calls"])},
    }
    calls = 'select tenant_id, occurred_at, message_type as kind, account_id from "warehouse"."lake"."messages" where direction is null'
    made = lineage(manifest, {"m.mart": PLANTED, "m.calls": calls})
    assert made["staging", "calls"]["kind"] == [("lake/messages", "message_type")]
    assert made["marts", "mart"] == {
        "tenant_id": [("lake/messages", "tenant_id"), ("staging/calls", "tenant_id")],
        "last_at": [("lake/messages", "occurred_at"), ("staging/calls", "occurred_at")],
        "told": [("staging/calls", "account_id"), ("staging/calls", "kind")],
        "n": [],
    }


def test_every_column_of_every_mart_is_there_and_leads_back_to_the_lake_reference_or_seeds(found: dict[str, Any]) -> None:
    manifest = json.loads(MANIFEST.read_bytes())
    models = {f"{each['schema']}/{each['name']}": each for each in manifest["nodes"].values() if each["resource_type"] == "model"}
    assert found.keys() == models.keys()
    marts = {table: each for table, each in models.items() if each["schema"] == "marts"}
    assert len(marts) > 30
    assert {table for table, each in marts.items() if set(found[table]) != set(each["columns"])} == set()

    def ends(table: str, column: str) -> set[str]:
        if table not in found:
            return {table.partition("/")[0]}
        return {end for parent, name in found[table][column] for end in ends(parent, name)}

    reached = {end for table in marts for column in found[table] for end in ends(table, column)}
    assert reached <= {"lake", "reference", "reference_seeds"} and "lake" in reached
    asked = {"staging", "intermediate"} & {parent.partition("/")[0] for of in found.values() for deps in of.values() for parent, _ in deps}
    assert asked == {"staging", "intermediate"}


@pytest.mark.parametrize(
    ("table", "column", "made_of"),
    [
        ("marts/dim_leads", "score", ["marts/fct_lead_scores.score"]),
        ("marts/dim_leads", "is_erased", ["intermediate/int_erasures__asked.lead_id"]),
        ("marts/dim_leads", "assigned_to", ["intermediate/int_lead_events__sequenced.event_kind", "intermediate/int_lead_events__sequenced.person_id"]),
        ("marts/fct_lead_scores", "intent_points", ["intermediate/int_lead_moments__rated.intent_percent", "intermediate/int_lead_moments__rated.intent_weight"]),
        ("marts/fct_lead_scores", "evidence_event_ids", [f"intermediate/int_lead_moments__rated.last_{each}_event_id" for each in ("inbound", "reply", "turn")]),
    ],
)  # fmt: skip
def test_columns_of_two_marts_are_made_of_what_their_sql_says(found: dict[str, Any], table: str, column: str, made_of: list[str]) -> None:
    assert [".".join(each) for each in found[table][column]] == made_of


def test_dagster_shows_it_and_leads_to_dbts_documentation(found: dict[str, Any]) -> None:
    node = build_defs().resolve_asset_graph().get(dg.AssetKey(["marts", "dim_leads"]))
    shown = node.metadata["dagster/column_lineage"].deps_by_column
    assert [(each.asset_key.to_user_string(), each.column_name) for each in shown["score"]] == [("marts/fct_lead_scores", "score")]
    assert "| `score` | `marts/fct_lead_scores.score` |" in str(node.metadata["columns made of"].value)
    assert node.metadata["dbt docs"].value == "http://127.0.0.1:3001/dbt_docs.html#!/model/model.flexoraa.dim_leads"
