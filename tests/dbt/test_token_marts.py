"""Reconciliation, daily use, spikes, run-outs and signs of abuse against their oracles, over the random histories of the suite."""

from collections import Counter
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import duckdb
import pytest

from tests.dbt.histories import AS_OF, History
from tests.oracles import grants, money, spending, tokens
from tests.oracles.common import valid

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def payments(made: History) -> list[dict[str, Any]]:
    """All that the provider said up to `AS_OF`."""
    return [dict.fromkeys(("refund_id", "dispute_id", "payment_id")) | row for row in made.known("payments", AS_OF)]


@pytest.fixture(scope="module")
def uses(made: History) -> list[dict[str, Any]]:
    """All uses up to `AS_OF`."""
    blank = dict.fromkeys(("model", "channel", "category", "action", "contact_point_id"))
    return [blank | row for row in made.known("token_usage", AS_OF)]


@pytest.fixture(scope="module")
def moves(made: History, payments, uses) -> list[tokens.Booking]:
    """What is booked."""
    return tokens.bookings(payments, uses, made.reference, AS_OF)


@pytest.fixture(scope="module")
def zones(made: History) -> dict[str, str]:
    """Time zones by tenant."""
    return {row.tenant_id: row.timezone for row in made.reference["tenants"]}


def signals(built: duckdb.DuckDBPyConnection, signal: str) -> list[tuple[Any, ...]]:
    """Signs of a kind."""
    query = "select tenant_id, subject, signal_date, observed, detected_at from marts.fct_abuse_signals where signal = ?"
    return built.execute(query, [signal]).fetchall()


def test_every_minor_unit_that_the_provider_owes_has_a_name(built, payments, zones) -> None:
    expected = money.reconciled(payments, zones, AS_OF, 5)
    names = list(next(iter(expected.values())))
    columns = ", ".join(f"{name}_count" if name == "payments_without_fee" else f"{name}_minor" for name in names)
    rows = built.execute(f"select tenant_id, currency, reconciled_date, {columns} from marts.fct_billing_reconciliation").fetchall()
    found = {row[:3]: dict(zip(names, row[3:], strict=True)) for row in rows}
    different = {key: (found.get(key), expected[key]) for key in expected if found.get(key) != expected[key]}
    assert not different, next(iter(different.items()))
    assert found.keys() == expected.keys()
    seen = Counter(name for row in expected.values() for name, value in row.items() if value)
    assert seen.keys() == set(names)


def test_use_by_day_channel_model_action_and_kind(built, made: History, uses, zones) -> None:
    expected: Counter[tuple[Any, ...]] = Counter()
    for row in uses:
        [day] = spending.reached([(row["tenant_id"], "", row["occurred_at"])], zones, 1)
        expected[row["tenant_id"], day[2], row["channel"] or "", row["model"] or "", row["action"] or "", row["kind"]] += row["quantity"]
    rows = built.execute("select tenant_id, usage_date, channel, model, action, kind, quantity from marts.fct_token_usage_daily").fetchall()
    assert {row[:6]: row[6] for row in rows} == dict(expected)
    totals = "select (select sum(debited_tokens) from marts.fct_token_usage_daily), (select sum(amount_tokens) from marts.fct_token_ledger where account = 'usage')"
    [(by_day, booked)] = built.execute(totals).fetchall()
    assert by_day == booked > 0


def test_spikes_are_those_of_the_median_absolute_deviation(built, moves, zones) -> None:
    expected = {
        (tenant, day): z for tenant, days in spending.used_by_day(moves, zones, AS_OF).items() for day, z in spending.spikes(days).items()
    }
    found = {(row[0], row[2]): row[3] for row in signals(built, "spend_spike")}
    assert found == pytest.approx(expected, rel=1e-12)
    assert len(found) >= 4


def test_a_flood_and_failed_payments_are_told_at_the_one_that_is_too_many(built, payments, uses, zones) -> None:
    floods = [(row["tenant_id"], row["contact_point_id"], row["occurred_at"]) for row in uses if row["contact_point_id"]]
    found = {(*row[:3], row[4]) for row in signals(built, "contact_flood")}
    assert found == spending.reached(floods, zones, 200)
    assert 0 < len(found) < len(zones)
    first: dict[tuple[str, str], datetime] = {}
    for row in sorted(payments, key=lambda row: ("listed" in row["kind"], row["occurred_at"])):
        if row["kind"] in ("payment.failed", "payment.listed.failed"):
            first.setdefault((row["tenant_id"], row["payment_id"]), row["occurred_at"])
    failed = {(*row[:3], row[4]) for row in signals(built, "failed_payments")}
    assert failed == spending.reached([(tenant, "wallet", at) for (tenant, _), at in first.items()], zones, 5)
    assert failed


def test_refunds_in_full_within_thirty_days_are_a_cycle(built, made: History, payments, zones) -> None:
    expected = set()
    for tenant, lots in tokens.credited(payments, made.reference).items():
        returned = sorted(at for lot in lots if (at := _returned_at(lot)))
        ends = [at for number, at in enumerate(returned) if number >= 2 and at - returned[number - 2] <= timedelta(days=30)]
        by_day = sorted((tenant, "wallet", at) for at in ends)
        expected |= spending.reached(by_day, zones, 1)
    assert {(*row[:3], row[4]) for row in signals(built, "refund_cycling")} == expected != set()


def _returned_at(lot: grants.Lot) -> datetime | None:
    taken = 0
    for _, account, _, at, amount in lot.moves:
        taken += amount if account == "refunds" else 0
        if lot.tokens and taken >= lot.tokens:
            return at
    return None


def test_use_later_than_five_minutes_after_the_pause_is_a_sign(built, made: History, zones) -> None:
    entries = built.execute(
        "select tenant_id, transaction_id, kind, amount_tokens, occurred_at from marts.fct_token_ledger "
        "where account = 'wallet' order by tenant_id, occurred_at, transaction_id"
    ).fetchall()
    balance: Counter[str] = Counter()
    top_up: dict[str, tuple[str, int]] = {}
    paused: dict[str, datetime] = {}
    late = []
    for tenant, transaction, kind, amount, at in entries:
        balance[tenant] += amount
        if kind == "credit":
            top_up[tenant] = (transaction, amount)
            paused.pop(tenant, None)
        if tenant in paused and kind == "usage" and amount < 0 and at >= paused[tenant] + timedelta(minutes=5):
            late.append((tenant, top_up[tenant][0], at))
        limit = valid(made.reference["token_thresholds"], tenant, at, action="pause")
        if tenant in top_up and balance[tenant] * 100 <= limit.percent * top_up[tenant][1]:
            paused.setdefault(tenant, at)
    found = signals(built, "usage_while_paused")
    assert {(*row[:3], row[4]) for row in found} == spending.reached(late, zones, 1) != set()
    assert len(found) < len(late) == sum(row[3] for row in found)


def test_run_outs_lie_where_a_solver_finds_them(built, moves, zones) -> None:
    rows = built.execute(
        "select tenant_id, reason, balance_tokens, forecast_at, runs_out_at, runs_out_earliest_at, runs_out_latest_at "
        "from marts.fct_token_forecasts"
    ).fetchall()
    used = spending.used_by_day(moves, zones, AS_OF)
    assert {row[0] for row in rows} == zones.keys()
    for tenant, reason, balance, base, *found in rows:
        expected = spending.runs_out_in_days(used[tenant], balance)
        if isinstance(expected, str):
            assert (reason, *found) == (expected, None, None, None)
        else:
            assert reason is None
            for moment, days in zip(found, expected, strict=True):
                assert (moment is None) == (days is None)
                assert moment is None or abs((moment - base) / timedelta(days=1) - days) < 1e-4
    assert any(row[4] for row in rows)
    assert any(row[1] == "nothing_left" for row in rows)


def test_abuse_and_run_outs_ask_for_an_alert_once(built) -> None:
    signs = built.execute("select count(*) from marts.fct_abuse_signals").fetchall()
    asked = built.execute("select count(*), count(distinct action_id) from marts.act_requests where rule = 'token_abuse'").fetchall()
    assert asked == [(signs[0][0], signs[0][0])]


def test_messages_cost_what_the_price_list_says_and_nothing_is_made_up(built, made: History) -> None:
    told: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in made.known("message_statuses", AS_OF):
        told.setdefault((row["tenant_id"], row["message_id"]), []).append(row)
    statuses = dict(built.execute("select (tenant_id, message_id), status from marts.fct_messages").fetchall())
    prices = made.reference["message_prices"]
    expected, unpriced = {}, set()
    for row in made.known("messages", AS_OF):
        key = (row["tenant_id"], row["message_id"])
        expected[key] = None
        if row["direction"] == "inbound" or not any((each.tenant_id, each.channel) == (key[0], row["channel"]) for each in prices):
            continue
        named = sorted(told.get(key, []), key=lambda each: (not each["pricing_category"], each["occurred_at"], each["event_id"]))
        category = (named[0]["pricing_category"] or "") if named else ""
        kind = named[0]["pricing_type"] if named else "regular"
        fitting = [valid(prices, key[0], row["occurred_at"], channel=row["channel"], category=each) for each in (category, "")]
        price = fitting[0] or fitting[1]
        if statuses[key] == "failed" or (named and kind.startswith("free")):
            expected[key] = 0
        elif price:
            expected[key] = int(Fraction(price.price_minor, price.per_messages) + Fraction(1, 2))
        else:
            unpriced.add((key[0], row["event_id"]))
    found = built.execute("select tenant_id, message_id, cost_minor from marts.fct_messages").fetchall()
    assert {row[:2]: row[2] for row in found} == expected
    assert set(expected.values()) >= {None, 0, 3, 4, 12}
    findings = "select tenant_id, event_id from marts.fct_token_findings where finding = 'message_without_price'"
    assert set(built.execute(findings).fetchall()) == unpriced != set()
