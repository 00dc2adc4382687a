"""The token ledger by booking one event after the other onto accounts."""

from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracles import grants
from tests.oracles.common import Row, valid

Booking = grants.Booking

TOLD_BY = ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid")
LISTED_AS = ("payment.listed.captured", "payment.listed.refunded")


def bookings(payments: list[Row], usages: list[Row], reference: dict[str, list[Any]], as_of: datetime) -> list[Booking]:
    """All movements of all accounts, without those of zero."""
    lots = [lot for tenant_lots in credited(payments, reference).values() for lot in tenant_lots]
    uses = [(row["tenant_id"], row["occurred_at"], tokens) for row in usages if (tokens := debit(row, reference["debit_rates"]))]
    found = grants.after_expiry(lots, uses, as_of)
    for tenant, at, tokens in uses:
        found += [(tenant, account, "usage", at, sign * tokens) for account, sign in (("wallet", -1), ("usage", 1))]
    return found


def credited(payments: list[Row], reference: dict[str, list[Any]]) -> dict[str, list[grants.Lot]]:
    """The credited payments of each tenant, each with its own movements, as if nothing ever expired."""
    found: dict[str, list[grants.Lot]] = defaultdict(list)
    by_payment: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in payments:
        if row.get("payment_id"):
            by_payment[row["tenant_id"], row["payment_id"]].append(row)
    for (tenant, payment), rows in by_payment.items():
        tellings = [row for row in rows if row["kind"] in TOLD_BY] or [row for row in rows if row["kind"] in LISTED_AS]
        if not tellings:
            continue
        captures = [row for row in tellings if row["kind"] == "payment.captured"]
        at = min(row.get("captured_at") or row["occurred_at"] for row in captures or tellings)
        rate = valid(reference["credit_rates"], tenant, at, currency=tellings[0]["currency"])
        if rate:
            amount = tellings[0]["amount_minor"]
            moves = _payment(tenant, at, amount, rate.tokens_per_major, rows)
            end = at + timedelta(days=rate.expires_after_days) if rate.expires_after_days else None
            if end and rate.expires_not_before:
                end = max(end, rate.expires_not_before)
            found[tenant].append(grants.Lot(tenant, payment, at, amount * rate.tokens_per_major // 100, end, moves))
    return found


def _payment(tenant: str, credited_at: datetime, amount: int, per_major: int, rows: list[Row]) -> list[Booking]:
    tokens = amount * per_major // 100
    found: list[Booking] = [
        (tenant, "wallet", "credit", credited_at, tokens),
        (tenant, "sales", "credit", credited_at, -tokens),
    ]
    created = {row["dispute_id"]: row for row in rows if row["kind"] == "payment.dispute.created"}
    steps: list[tuple[datetime, int, str, str, Row]] = []
    told = {row["refund_id"] for row in rows if row["kind"] == "refund.processed"}
    for row in rows:
        if row["kind"] == "refund.processed" or (row["kind"] == "refund.listed.processed" and row["refund_id"] not in told):
            steps.append((row["occurred_at"], 1, row["refund_id"], "refund", row))
    ended = dispute_ends(rows)
    for dispute, row in created.items():
        moments = [row["occurred_at"]] + [end["occurred_at"] for end in ended.get(dispute, [])]
        steps.append((min(moments), 2, dispute, "dispute_hold", row))
    for dispute, ends in ended.items():
        for place, row in enumerate(ends):
            kind = "dispute_loss" if row["kind"].endswith("lost") else "dispute_release"
            steps.append((row["occurred_at"], 3 + place, dispute, kind, row))
    steps = [(max(step[0], credited_at), *step[1:]) for step in steps]
    refunded, lost, held = 0, 0, dict[str, int]()
    before = {"refunds": 0, "losses": 0, "disputes": 0}
    for at, _, dispute, kind, row in sorted(steps, key=lambda step: step[:3]):
        if kind == "refund":
            refunded += row["amount_minor"]
        elif kind == "dispute_hold":
            held[dispute] = row["amount_minor"]
        else:
            held.pop(dispute, 0)
            lost += created.get(dispute, row)["amount_minor"] if kind == "dispute_loss" else 0
        refunds = _share(tokens, refunded, amount)
        losses = min(_share(tokens, lost, amount), tokens - refunds)
        disputes = min(_share(tokens, sum(held.values()), amount), tokens - refunds - losses)
        after = {"refunds": refunds, "losses": losses, "disputes": disputes}
        moved = {account: after[account] - before[account] for account in after}
        moved["wallet"] = -sum(moved.values())
        found += [(tenant, account, kind, at, change) for account, change in moved.items() if change]
        before = after
    return found


def dispute_ends(rows: list[Row]) -> dict[str, list[Row]]:
    """How each dispute ended, step by step: a verdict is final, and what was only closed may still be lost."""
    found: dict[str, list[Row]] = defaultdict(list)
    judged = set()
    words = {"payment.dispute.lost": 1, "payment.dispute.won": 2, "payment.dispute.closed": 3}
    for row in sorted((row for row in rows if row["kind"] in words), key=lambda row: (row["occurred_at"], words[row["kind"]])):
        dispute, word = row["dispute_id"], row["kind"].rpartition(".")[2]
        if dispute not in judged and (not found[dispute] or word == "lost"):
            found[dispute].append(row)
        if word != "closed":
            judged.add(dispute)
    return found


def _share(tokens: int, part: int, whole: int) -> int:
    return floor(tokens * min(Fraction(part, whole), Fraction(1)))


def debit(row: Row, rates: list[Any]) -> int:
    """Tokens of one use, by the most specific rate."""
    best: tuple[tuple[bool, bool, bool], Any] | None = None
    for rate in rates:
        if rate.tenant_id != row["tenant_id"] or rate.kind != row["kind"] or row["occurred_at"] < rate.valid_from:
            continue
        if rate.valid_to is not None and row["occurred_at"] >= rate.valid_to:
            continue
        wanted = (rate.model, rate.channel, rate.category)
        if any(want and want != row.get(name) for want, name in zip(wanted, ("model", "channel", "category"), strict=True)):
            continue
        exact = (bool(rate.model), bool(rate.channel), bool(rate.category))
        if best is None or exact > best[0]:
            best = (exact, rate)
    return ceil(Fraction(row["quantity"] * best[1].tokens, best[1].per_quantity)) if best else 0


def balances(moves: list[Booking], zones: dict[str, str], as_of: datetime) -> dict[tuple[str, Any], int]:
    """Closing balance of the wallet by tenant and local day, every day from the first movement to `as_of`."""
    found: dict[tuple[str, Any], int] = {}
    for tenant, zone in zones.items():
        changes: dict[Any, int] = defaultdict(int)
        for owner, account, _, at, tokens in moves:
            if (owner, account) == (tenant, "wallet"):
                changes[at.astimezone(ZoneInfo(zone)).date()] += tokens
        day, running = min(changes), 0
        while day <= as_of.astimezone(ZoneInfo(zone)).date():
            running += changes[day]
            found[tenant, day] = running
            day += timedelta(days=1)
    return found
