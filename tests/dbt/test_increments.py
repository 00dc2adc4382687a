"""Several increments equal one full refresh (law 3): every row of every mart, over batches of any size, with late data and changed holders."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

from assets.actions import PUBLISHED
from assets.brief_builds import brief_selection, looking_tests
from assets.days import days, opened
from assets.project import MANIFEST
from orchestration.resources.dbt import duckdb_variables, places
from orchestration.resources.progress import TerminalProgress
from tests.dbt.growing import Growing, arrivals, growing, merged
from tests.dbt.histories import history
from tests.dbt.history_base import START

DAYS = 30
ROOT = Path(__file__).resolve().parents[2]


LEADS = 25
MADE = history(11, LEADS)
ARRIVING = arrivals(MADE, random.Random("arriving"))
EARLY = START + timedelta(days=12)


def came(since: datetime, until: datetime) -> dict[str, list[dict[str, Any]]]:
    """What arrived in (since, until], by table."""
    return {table: [row for arrived, of, row in ARRIVING if of == table and since < arrived <= until] for table in MADE.lake}


@pytest.fixture(scope="module")
def home(engine: str) -> Iterator[Growing]:
    """A home with a first build; the tests that take it go on from each other."""
    if engine != "duckdb":
        pytest.skip("what dies, and what deletes rows by hand, is of DuckDB")
    with growing(engine, MADE) as made:
        made.tell(came(START - timedelta(days=9), EARLY))
        made.build(EARLY)
        yield made


def grown(home: Growing, seed: int, leads: int, batches: int, checks: int) -> list[str]:
    """Thirty days in so many batches of random sizes; compares at the end and at random before; returns what differed."""
    rng = random.Random(f"increments:{seed}")
    made = history(seed, leads)
    waiting = arrivals(made, rng)
    ends = [*sorted(START + timedelta(days=5 + rng.random() * (DAYS - 1)) for _ in range(batches - 3))]
    ends += [START + timedelta(days=5 + DAYS) - timedelta(hours=hours) for hours in (15, 8, 0)]  # short: what time alone changes shows
    compared = {len(ends) - 1, *rng.sample(range(1, len(ends) - 1), checks - 1)}
    undo, differences, continued = None, [], 0
    for number, as_of in enumerate(ends):
        told: dict[str, list[dict[str, object]]] = {}
        while waiting and waiting[0][0] <= as_of:
            _, table, row = waiting.pop(0)
            told.setdefault(table, []).append(row)
        home.tell(told)
        if number % 3 == 1:
            _, undo = merged(home, rng)
        elif number % 3 == 0 and undo:
            home.reference["lead_points"], undo = undo, None
        if number == len(ends) // 2:
            of_one = home.reference["policies"][0].tenant_id
            home.reference["policies"] = [
                msgspec.structs.replace(row, conversation_gap_seconds=86400, next_step_seconds=7200) if row.tenant_id == of_one else row
                for row in home.reference["policies"]
            ]
        begun = home.build(as_of, brief=number % 3 > 0)
        continued += not begun.why
        if number in compared:
            increments = home.marts()
            home.build(as_of, rebuild=True)
            whole = home.marts()
            assert whole.keys() == increments.keys()
            empty = [mart for mart, rows in whole.items() if not rows]
            assert len(empty) <= len(whole) // 2 if as_of < ends[-1] else not empty, (empty, "the comparison is of rows")
            differences += [
                f"batch {number}, {mart}: {len(set(increments[mart]) ^ set(rows))} rows, {sorted(set(increments[mart]) ^ set(rows))[:2]}"
                for mart, rows in whole.items()
                if increments[mart] != rows
            ]
    assert continued == batches - 1, "all but the first continue the build before them"
    return differences


def test_increments_over_thirty_days_equal_one_full_refresh(engine: str) -> None:
    if engine == "spark":
        pytest.skip("on Spark every build makes everything anew")
    with growing(engine, history(5, LEADS)) as home:
        assert grown(home, 5, LEADS, batches=4, checks=1) == []


@pytest.mark.large
@pytest.mark.parametrize("seed", range(100, 108))
def test_increments_of_many_histories_equal_full_refreshes(engine: str, seed: int) -> None:
    with growing(engine, history(seed, 20)) as home:
        assert grown(home, seed, 20, batches=25, checks=6) == []


def test_a_backfill_of_a_day_makes_its_keys_anew_and_late_files_open_their_days(home: Growing) -> None:
    """As the UI launches it: one run for a range of partitions. Rows that somebody deleted by hand are there again."""
    event = MADE.lake["messages"][0]
    as_of, day = EARLY, event["occurred_at"].date()
    resources = {"run_lock": dg.ResourceDefinition.none_resource()}
    with dg.DagsterInstance.ephemeral() as instance:
        before = home.fingerprints()
        with duckdb.connect(str(home.settings.warehouse)) as connection:
            gone = connection.execute("delete from marts.fct_messages where sent_at::date = ? returning 1", [day]).fetchall()
            assert gone
        assert home.fingerprints() != before
        tags = {"dagster/asset_partition_range_start": f"{day}", "dagster/asset_partition_range_end": f"{day + timedelta(days=1)}"}
        ports = {"dbt": home.dbt, "warehouse": home.warehouse, "progress": TerminalProgress(quiet=True)}
        done = dg.materialize([days], instance=instance, resources=resources | ports, tags=tags)
        assert done.success
        assert instance.get_materialized_partitions(days.key) == {f"{day}", f"{day + timedelta(days=1)}"}
        assert home.fingerprints() == before
        home.tell({"messages": [event | {"event_id": "late", "message_id": "late", "received_at": as_of}]})
        home.refer(as_of)
        found = list(opened(home.warehouse.begin()))
        assert [each.partition for each in found] == [f"{day}"]
        assert found[0].metadata["days_late"].value == (as_of.date() - day).days


def test_a_build_that_is_killed_leaves_the_last_whole_one_to_continue(home: Growing) -> None:
    """Also where what it saw is taken back before the next one: leads that it merged in some tables are apart again in all."""
    rng = random.Random("killed")
    moments = [EARLY + timedelta(hours=hours) for hours in (0, 5, 10, 15)]
    told = [came(since, until) for since, until in pairwise(moments)]
    for number, model in ((1, "begun"), (2, "int_lead_events__sequenced")):
        home.tell(told[number - 1])
        before = home.reference["lead_points"]
        for _ in range(5):
            merged(home, rng)
        home.refer(moments[number])
        died = subprocess.run([sys.executable, "-m", "tests.dbt.dying_builder", str(home.settings.home), model], check=False, cwd=ROOT)
        assert died.returncode == -signal.SIGKILL
        home.reference["lead_points"] = before
        home.wait_until_free()
    home.tell(told[2])
    assert home.build(moments[3]).why == ""
    continued = home.fingerprints()
    home.build(moments[3], rebuild=True)
    assert continued == home.fingerprints()


def test_a_wallet_is_made_anew_from_the_first_entry_that_changed(home: Growing) -> None:
    """A balance falsified by hand is carried on by what comes after it, and by nothing else: so the rows before were left, those after made."""
    moments = [EARLY + timedelta(hours=15, minutes=minutes) for minutes in (1, 2, 3)]
    use = _use_in_the_middle(home)
    tenant, at = use["tenant_id"], use["occurred_at"]
    before = [place for place, entry_at, _ in _wallet(home, tenant) if entry_at < at]
    assert len(before) > 5
    assert len(before) + 5 < len(_wallet(home, tenant))
    with duckdb.connect(str(home.settings.warehouse)) as connection:
        wallet = "intermediate.int_wallet_entries__balanced"
        falsified = f"update {wallet} set balance_tokens = balance_tokens + 1000 where tenant_id = ? and entry_order = ?"
        connection.execute(falsified, [tenant, before[-1]])
    stood = _wallet(home, tenant)
    home.tell({"token_usage": [use | {"received_at": moments[0]}]})
    assert home.build(moments[0]).why == ""
    assert _wallet(home, tenant) == stood, "a use that came twice changes nothing"
    home.tell({"token_usage": [use | {"event_id": "late", "received_at": moments[1]}]})
    assert home.build(moments[1]).why == ""
    continued = _wallet(home, tenant)
    assert continued[: len(before)] == stood[: len(before)]
    assert len(continued) == len(stood) + 1
    assert [balance - 1000 for _, _, balance in continued[len(before) :]] == _running(home, tenant)[len(before) :]
    cards = home.reference["debit_rates"], home.reference["credit_rates"]
    home.reference["debit_rates"], home.reference["credit_rates"] = ([row for row in card if row.tenant_id != tenant] for card in cards)
    assert home.build(moments[2]).why == ""
    assert _wallet(home, tenant) == [], "nothing has a price any more"
    home.reference["debit_rates"], home.reference["credit_rates"] = cards


def _wallet(home: Growing, tenant: str) -> list[tuple[int, datetime, int]]:
    """Place, moment and balance of all entries."""
    with duckdb.connect(str(home.settings.warehouse), read_only=True) as connection:
        rows = "from intermediate.int_wallet_entries__balanced where tenant_id = ? order by entry_order"
        return connection.execute(f"select entry_order, occurred_at, balance_tokens {rows}", [tenant]).fetchall()


def _running(home: Growing, tenant: str) -> list[int]:
    """The sums of the ledger, entry by entry."""
    with duckdb.connect(str(home.settings.warehouse), read_only=True) as connection:
        entries = "from marts.fct_token_ledger where account = 'wallet' and tenant_id = ? order by occurred_at, transaction_id"
        return list(accumulate(amount for (amount,) in connection.execute(f"select amount_tokens {entries}", [tenant]).fetchall()))


def _use_in_the_middle(home: Growing) -> dict[str, Any]:
    """A use that costs tokens, with half of a wallet's entries before it: that of the tenant with the most."""
    with duckdb.connect(str(home.settings.warehouse), read_only=True) as connection:
        entries = "from intermediate.int_wallet_entries__balanced"
        query = f"select tenant_id, event_id {entries} where kind = 'usage' and amount_tokens < 0 and tenant_id = (select mode(tenant_id) {entries})"
        found = connection.execute(f"{query} order by entry_order").fetchall()
    tenant, event_id = found[len(found) // 2]
    return next(row for row in MADE.lake["token_usage"] if (row["tenant_id"], row["event_id"]) == (tenant, event_id))


def test_a_model_that_is_continued_reads_nothing_that_may_change_beside_its_keys() -> None:
    """The promise of `scope`, told by the graph: what an incremental model reads says `scope` too, or changes only with a tenant.

    Of rows that are `always` made anew it promises nothing. What is made anew by its `tail` compares for itself.
    """
    nodes = json.loads(MANIFEST.read_bytes())["nodes"]
    # of one tenant, all of whose keys are touched where they change
    allowed = {"stg_reference__policies", "stg_reference__sla_policies", "stg_reference__tenants"}
    wrong = []
    for node in nodes.values():
        is_continued = node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
        if is_continued and node["config"]["incremental_strategy"] == "touched":
            parents = [nodes[name] for name in node["depends_on"]["nodes"] if name.startswith("model.")]
            wrong += [
                f"{node['name']} reads {parent['name']}"
                for parent in parents
                if "scope" not in parent["config"]["meta"] and parent["name"] not in allowed and "always" not in node["config"]["meta"]
            ]
            wrong += [
                f"{node['name']} reads {name}"
                for name in node["depends_on"]["nodes"]
                if ".lake." in name or name.endswith(("reference.lead_points", "reference.lead_links"))
            ]
            assert node["config"]["meta"]["scope"] in {"point", "lead", "message", "event"}, node["name"]
    assert wrong == []


def test_what_brief_builds_made_is_looked_at_by_the_next_that_is_not(home: Growing) -> None:
    """Two builds whose tests wait, one whose tests look: at its own keys and at those of both. (No tables are made: it is about the keys.)"""
    moments = [EARLY + timedelta(hours=hours) for hours in (15, 20, 25, 30)]
    touched = []
    for number, (since, until) in enumerate(pairwise(moments)):
        home.tell(came(since, until))
        home.refer(until)
        begun = home.warehouse.begin(brief=number < 2)
        assert (begun.why, begun.is_brief) == ("", number < 2)
        home.warehouse.end(begun)
        touched.append({tuple(row.values()) for row in pq.read_table(home.settings.reference / "touched.parquet").to_pylist()})
    assert not touched[0] <= touched[1], "what one made is not made by the next by itself"
    assert touched[0] | touched[1] <= touched[2]
    home.refer(moments[-1])
    home.warehouse.end(home.warehouse.begin())
    assert not touched[0] <= {tuple(row.values()) for row in pq.read_table(home.settings.reference / "touched.parquet").to_pylist()}
    assert not home.warehouse.begin(rebuild=True, brief=True).is_brief, "what is made anew is tested"


def test_a_brief_run_tests_all_that_is_acted_on_and_makes_all_tables() -> None:
    manifest = json.loads(MANIFEST.read_bytes())
    looking = set(looking_tests(manifest))
    nodes = manifest["nodes"].values()
    acted_on = {each["attached_node"].rpartition(".")[2] for each in nodes if each["resource_type"] == "test" and each["name"] in looking}
    made = {each["name"]: each["config"]["materialized"] for each in nodes if each["resource_type"] in {"model", "seed"}}
    assert acted_on == set(PUBLISHED) & made.keys()
    assert len(looking) == sum(each["resource_type"] == "test" and each["attached_node"].rpartition(".")[2] in acted_on for each in nodes)
    listed = {is_steady: _listed(brief_selection(manifest, is_steady=is_steady)) for is_steady in (False, True)}
    assert listed[False] == made.keys() | looking
    assert listed[True] == {name for name, how in made.items() if how in {"table", "incremental"}} | looking


def _listed(selection: list[str]) -> set[str]:
    """What dbt itself says that it would build."""
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet", "ls", "--output", "name", "--exclude-resource-type", "unit_test"]
    command += [*selection, *places(MANIFEST.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **duckdb_variables()})
    sources = {line for line in done.stdout.splitlines() if line.startswith("source:")}
    return {line.strip() for line in done.stdout.splitlines() if line.strip()} - sources
