"""The token ledger by booking one event after the other onto accounts."""

from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from math import ceil, floor
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracles.common import Row, valid

Booking = tuple[str, str, str, datetime, int]
"""Tenant, account, kind, moment, tokens."""

TOLD_BY = ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid")
LISTED_AS = ("payment.listed.captured", "payment.listed.refunded")


def bookings(payments: list[Row], usages: list[Row], reference: dict[str, list[Any]]) -> list[Booking]:
    """All movements of all accounts, without those of zero."""
    found: list[Booking] = []
    by_payment: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in payments:
        if row.get("payment_id"):
            by_payment[row["tenant_id"], row["payment_id"]].append(row)
    for (tenant, _), rows in by_payment.items():
        tellings = [row for row in rows if row["kind"] in TOLD_BY] or [row for row in rows if row["kind"] in LISTED_AS]
        if not tellings:
            continue
        captures = [row for row in tellings if row["kind"] == "payment.captured"]
        at = min(row.get("captured_at") or row["occurred_at"] for row in captures or tellings)
        rate = valid(reference["credit_rates"], tenant, at, currency=tellings[0]["currency"])
        if rate:
            found += _payment(tenant, at, tellings[0]["amount_minor"], rate.tokens_per_major, rows)
    for row in usages:
        tokens = _debit(row, reference["debit_rates"])
        if tokens:
            found += [
                (row["tenant_id"], account, "usage", row["occurred_at"], sign * tokens) for account, sign in (("wallet", -1), ("usage", 1))
            ]
    return found


def _payment(tenant: str, credited_at: datetime, amount: int, per_major: int, rows: list[Row]) -> list[Booking]:
    tokens = amount * per_major // 100
    found: list[Booking] = [
        (tenant, "wallet", "credit", credited_at, tokens),
        (tenant, "sales", "credit", credited_at, -tokens),
    ]
    created = {row["dispute_id"]: row for row in rows if row["kind"] == "payment.dispute.created"}
    verdicts = {row["dispute_id"]: row for row in rows if row["kind"] in ("payment.dispute.won", "payment.dispute.lost")}
    steps: list[tuple[datetime, int, str, str, Row]] = []
    told = {row["refund_id"] for row in rows if row["kind"] == "refund.processed"}
    for row in rows:
        if row["kind"] == "refund.processed" or (row["kind"] == "refund.listed.processed" and row["refund_id"] not in told):
            steps.append((row["occurred_at"], 1, row["refund_id"], "refund", row))
    for dispute, row in created.items():
        moments = [row["occurred_at"]] + ([verdicts[dispute]["occurred_at"]] if dispute in verdicts else [])
        steps.append((min(moments), 2, dispute, "dispute_hold", row))
    for dispute, row in verdicts.items():
        kind = "dispute_loss" if row["kind"].endswith("lost") else "dispute_release"
        steps.append((row["occurred_at"], 3, dispute, kind, row))
    steps = [(max(step[0], credited_at), *step[1:]) for step in steps]
    refunded, lost, held = 0, 0, dict[str, int]()
    before = {"refunds": 0, "losses": 0, "disputes": 0}
    for at, _, dispute, kind, row in sorted(steps, key=lambda step: step[:3]):
        if kind == "refund":
            refunded += row["amount_minor"]
        elif kind == "dispute_hold":
            held[dispute] = row["amount_minor"]
        else:
            opened = held.pop(dispute, 0)
            lost += (opened or row["amount_minor"]) if kind == "dispute_loss" else 0
        refunds = _share(tokens, refunded, amount)
        losses = min(_share(tokens, lost, amount), tokens - refunds)
        disputes = min(_share(tokens, sum(held.values()), amount), tokens - refunds - losses)
        after = {"refunds": refunds, "losses": losses, "disputes": disputes}
        moved = {account: after[account] - before[account] for account in after}
        moved["wallet"] = -sum(moved.values())
        found += [(tenant, account, kind, at, change) for account, change in moved.items() if change]
        before = after
    return found


def _share(tokens: int, part: int, whole: int) -> int:
    return floor(tokens * min(Fraction(part, whole), Fraction(1)))


def _debit(row: Row, rates: list[Any]) -> int:
    best: tuple[tuple[bool, bool, bool], Any] | None = None
    for rate in rates:
        if rate.tenant_id != row["tenant_id"] or rate.kind != row["kind"]:
            continue
        wanted = (rate.model, rate.channel, rate.category)
        if any(want and want != row[name] for want, name in zip(wanted, ("model", "channel", "category"), strict=True)):
            continue
        exact = (bool(rate.model), bool(rate.channel), bool(rate.category))
        if best is None or exact > best[0]:
            best = (exact, rate)
    return ceil(Fraction(row["quantity"] * best[1].tokens, best[1].per_quantity)) if best else 0


def balances(moves: list[Booking], zones: dict[str, str]) -> dict[tuple[str, Any], int]:
    """Closing balance of the wallet by tenant and local day."""
    found: dict[tuple[str, Any], int] = {}
    running: dict[str, int] = defaultdict(int)
    for tenant, account, _, at, tokens in sorted(moves, key=lambda move: move[3]):
        if account == "wallet":
            running[tenant] += tokens
            found[tenant, at.astimezone(ZoneInfo(zones[tenant])).date()] = running[tenant]
    return found
