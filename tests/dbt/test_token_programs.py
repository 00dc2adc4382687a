"""Thousands of random programs of payments, refunds, disputes, uses and ends of credits: every entry of the ledger against the oracle."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.reference import CreditRate, DebitRate, Tenant
from tests.dbt.history_base import History
from tests.dbt.warehouse import build
from tests.oracles import tokens

START, AS_OF = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 25, tzinfo=UTC)
MARTS = ("fct_token_ledger", "fct_token_grants", "fct_token_balances", "fct_token_findings")
TELLERS = ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid")
_MICRO = timedelta(microseconds=1)


def moment(rng: random.Random) -> datetime:
    """Noon of some day, often to the microsecond: many things happen at one instant, or just beside it."""
    return START + timedelta(days=rng.randrange(20), hours=12) + rng.choice((-_MICRO, _MICRO, *[timedelta()] * 6))


def program(made: History, tenant: str, rng: random.Random) -> None:
    """One tenant: up to eight payments under two rate cards, with what becomes of them, and uses."""
    made.refer(Tenant(tenant_id=tenant, timezone=rng.choice(("Asia/Kolkata", "UTC")), default_region="IN", currency="INR"))
    change = START + timedelta(days=rng.randrange(3, 15), hours=12)
    lives = sorted(rng.choices((1, 2, 3, 5, 8, 40), k=2), reverse=rng.random() < 0.3)
    lasting = rng.choice((None, None, None, START + timedelta(days=10, hours=12)))
    for since, until, days in ((START - timedelta(days=1), change, lives[0]), (change, None, lives[1] if rng.random() < 0.8 else None)):
        made.refer(
            CreditRate(
                tenant_id=tenant, currency="INR", valid_from=since, valid_to=until, tokens_per_major=rng.choice((7, 10, 100)),
                expires_after_days=days, expires_not_before=lasting and days and lasting,
            )
        )  # fmt: skip
    price = {"tenant_id": tenant, "kind": "message", "model": "", "channel": "", "category": "", "per_quantity": 1}
    dearer = START + timedelta(days=rng.randrange(20), hours=12)
    made.refer(DebitRate(valid_from=START - timedelta(days=1), valid_to=dearer, tokens=1, **price))
    made.refer(DebitRate(valid_from=dearer, tokens=2, **price))
    for number in range(rng.randint(1, 8)):
        at, amount = moment(rng), rng.choice((99, 300, 1_000, 3_333))
        common: dict[str, Any] = {"payment_id": f"pay_{number}", "currency": "INR"}
        for kind in rng.sample(TELLERS, rng.randint(1, 4)):
            made.add("payments", tenant, f"{kind}:{number}", at, kind=kind, amount_minor=amount, captured_at=at, **common)
        for part in range(rng.choice((0, 0, 1, 2))):
            made.add("payments", tenant, f"refund:{number}:{part}", moment(rng), kind="refund.processed", refund_id=f"r{number}{part}",
                     amount_minor=rng.choice((amount, amount // 3, 1)), **common)  # fmt: skip
        if rng.random() < 0.35:
            disputed = {"dispute_id": f"d{number}", "amount_minor": rng.choice((amount, amount // 2))}
            for kind in rng.sample(("created", "won", "lost", "closed"), rng.randint(1, 3)):
                made.add("payments", tenant, f"{kind}:{number}", moment(rng), kind=f"payment.dispute.{kind}", **disputed, **common)
    for number in range(rng.randint(0, 14)):
        made.add("token_usage", tenant, f"use:{number}", moment(rng), kind="message", quantity=rng.choice((0, 1, 7, 40, 150)))


def world(programs: int) -> History:
    """So many tenants, each with a program."""
    made, rng = History(), random.Random(4)
    for number in range(programs):
        program(made, f"t{number}", rng)
    return made


def told(made: History, rng: random.Random) -> dict[str, list[Any]]:
    """In no order, and some twice."""
    rows: dict[str, list[Any]] = dict(made.reference)
    for table, events in made.lake.items():
        rows[table] = events + [row | {"segment_id": "later"} for row in events if rng.random() < 0.2]
        rng.shuffle(rows[table])
    return rows


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest) -> History:
    """2,000 of them."""
    return world(20_000 if request.config.getoption("--large") else 2_000)


@pytest.fixture(scope="module")
def built(programs: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All in one build."""
    only = ("--exclude-resource-type", "unit_test", "--select", *(f"+{mart}" for mart in MARTS))
    with build(tmp_path_factory.mktemp("programs"), told(programs, random.Random(1)), AS_OF, *only) as connection:
        yield connection


def by_tenant(rows: list[Any]) -> dict[str, list[Any]]:
    """Rows without their tenant, ordered."""
    found: dict[str, list[Any]] = defaultdict(list)
    for tenant, *row in rows:
        found[tenant].append(tuple(row))
    return {tenant: sorted(kept) for tenant, kept in found.items()}


def test_every_entry_of_every_program_is_that_of_the_oracle(built: duckdb.DuckDBPyConnection, programs: History) -> None:
    expected: list[tokens.Booking] = []
    events: dict[str, dict[str, list[Any]]] = defaultdict(lambda: {"payments": [], "token_usage": []})
    blank = dict.fromkeys(("model", "channel", "category", "refund_id", "dispute_id"))
    for table, rows in programs.lake.items():
        for row in rows:
            events[row["tenant_id"]][table].append(blank | row)
    rates: dict[str, dict[str, list[Any]]] = defaultdict(lambda: {"credit_rates": [], "debit_rates": []})
    for table in ("credit_rates", "debit_rates"):
        for rate in programs.reference[table]:
            rates[rate.tenant_id][table].append(rate)
    for tenant, own in events.items():
        expected += tokens.bookings(own["payments"], own["token_usage"], rates[tenant], AS_OF)
    found = built.execute(
        "select tenant_id, account, kind, occurred_at, amount_tokens from marts.fct_token_ledger where amount_tokens <> 0"
    ).fetchall()
    ours, theirs = by_tenant(found), by_tenant([move for move in expected if move[4]])
    different = [tenant for tenant in theirs if ours.get(tenant) != theirs[tenant]]
    assert not different, (different[0], len(different), sorted(set(ours[different[0]]) ^ set(theirs[different[0]])))
    assert ours.keys() == theirs.keys()
    assert sum(move[2] == "expiry" for move in expected) > len(programs.reference["tenants"])


def test_every_transaction_sums_to_zero_and_a_payment_is_credited_once(built: duckdb.DuckDBPyConnection) -> None:
    transactions = "select 1 from marts.fct_token_ledger group by tenant_id, transaction_id having sum(amount_tokens) <> 0"
    credits = "select 1 from marts.fct_token_ledger where kind = 'credit' and account = 'wallet' group by tenant_id, payment_id having count(*) > 1"
    assert built.execute(f"{transactions} union all {credits}").fetchall() == []


def test_what_grants_hold_is_the_balance(built: duckdb.DuckDBPyConnection) -> None:
    query = """
        select tenant_id from marts.fct_token_balances inner join (
            select tenant_id, sum(left_tokens) as left_tokens from marts.fct_token_grants group by tenant_id
        ) using (tenant_id)
        where is_current and greatest(balance_tokens, 0) <> left_tokens
    """
    assert built.execute(query).fetchall() == []


def test_other_order_and_other_repeats_give_the_same_rows(built: duckdb.DuckDBPyConnection, programs: History, tmp_path: Path) -> None:
    query = "from marts.{} order by all"
    before = {mart: built.execute(query.format(mart)).fetchall() for mart in MARTS}
    only = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test", "--select", *(f"+{mart}" for mart in MARTS))
    with build(tmp_path, told(programs, random.Random(2)), AS_OF, *only) as connection:
        assert {mart: connection.execute(query.format(mart)).fetchall() for mart in MARTS} == before
