"""What the payment provider owes: each capture waits in a queue, and whatever is taken off or paid out empties the queue from its oldest end."""

from collections import defaultdict, deque
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracles.common import Row
from tests.oracles.tokens import LISTED_AS, TOLD_BY, dispute_ends

Day = dict[str, int]


def reconciled(payments: list[Row], zones: dict[str, str], as_of: datetime, wait_days: int) -> dict[tuple[str, str, date], Day]:
    """By tenant, currency and local day from the first movement to `as_of`."""
    moves: dict[tuple[str, str], dict[date, list[tuple[str, int, int | None]]]] = defaultdict(lambda: defaultdict(list))
    for kind, tenant, currency, at, amount, fee in _moves(payments):
        moves[tenant, currency][at.astimezone(ZoneInfo(zones[tenant])).date()].append((kind, amount, fee))
    found = {}
    for (tenant, currency), days in moves.items():
        day, account = min(days), _Account()
        while day <= as_of.astimezone(ZoneInfo(zones[tenant])).date():
            found[tenant, currency, day] = account.live(day, days.get(day, []), wait_days)
            day += timedelta(days=1)
    return found


class _Account:
    def __init__(self) -> None:
        self.waiting: deque[list[Any]] = deque()
        self.overpaid = self.captured = self.settled = self.fees = 0

    def live(self, day: date, moves: list[tuple[str, int, int | None]], wait_days: int) -> Day:
        told = defaultdict(int)
        for kind, amount, fee in moves:
            told[kind] += amount
            told[f"{kind} fee"] += fee or 0
            told["unknown"] += kind == "payment" and fee is None
        for kind, amount, fee in moves:
            if kind == "payment":
                self.captured += amount - (fee or 0)
                self.waiting.append([day, amount - (fee or 0)])
        for kind, amount, _ in moves:
            if kind != "payment":
                self.overpaid += amount
                self.settled += amount if kind == "settlement" else 0
        self.fees += told["payment fee"] - told["settlement fee"]
        while self.overpaid and self.waiting:
            paid = min(self.overpaid, self.waiting[0][1])
            self.overpaid -= paid
            self.waiting[0][1] -= paid
            if not self.waiting[0][1]:
                self.waiting.popleft()
        owed = sum(left for _, left in self.waiting)
        late = sum(left for since, left in self.waiting if (day - since).days >= wait_days)
        unfounded = max(self.settled - self.captured, 0)
        is_early = owed > 0 and self.fees > 0
        return {
            "payments": told["payment"], "fees": told["payment fee"], "refunds": told["refund"], "disputes": told["dispute"],
            "transfers": told["transfer"], "settlements": told["settlement"], "closing": owed - self.overpaid,
            "captured_not_settled_yet": owed - late, "captured_not_settled_late": late,
            "refund_not_in_settlement": self.overpaid - unfounded, "settled_without_payment": unfounded,
            "fees_not_settled_yet": self.fees if is_early else 0, "fee_mismatch": 0 if is_early else self.fees,
            "payments_without_fee": told["unknown"],
        }  # fmt: skip


def _moves(payments: list[Row]) -> list[tuple[str, str, str, datetime, int, int | None]]:
    found: list[tuple[str, str, str, datetime, int, int | None]] = []
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in payments:
        kind = row["kind"]
        if (kind in TOLD_BY or kind in LISTED_AS) and row.get("payment_id"):
            groups[row["tenant_id"], "payment", row["payment_id"]].append(row)
        elif kind in ("refund.processed", "refund.listed.processed"):
            groups[row["tenant_id"], "refund", row["refund_id"]].append(row)
        elif kind.startswith("payment.dispute."):
            groups[row["tenant_id"], "dispute", row["dispute_id"]].append(row)
        elif kind in ("settlement.processed", "settlement.listed.processed"):
            groups[row["tenant_id"], "settlement", row["subject_id"]].append(row)
        elif kind == "transfer.processed":
            groups[row["tenant_id"], "transfer", row["subject_id"]].append(row)
    for (tenant, name, _), rows in groups.items():
        first = min(rows, key=lambda row: ("listed" in row["kind"], row["occurred_at"]))
        at, amount, fee = first["occurred_at"], first["amount_minor"], first.get("fee_minor")
        if name == "payment":
            told = [row for row in rows if row["kind"] in TOLD_BY] or rows
            captures = [row for row in told if row["kind"] == "payment.captured"] or told
            at = min(row.get("captured_at") or row["occurred_at"] for row in captures)
            fees = [row["fee_minor"] for row in [*captures, *rows] if row.get("fee_minor") is not None]
            fee = fees[0] if fees else None
        elif name == "dispute":
            [last, *_] = [row for ends in dispute_ends(rows).values() for row in ends if row["kind"].endswith("lost")] or [None]
            if last is None:
                continue
            opened = [row for row in rows if row["kind"] == "payment.dispute.created"]
            at, amount = last["occurred_at"], (opened or [last])[0]["amount_minor"]
        found.append((name, tenant, first["currency"], at, amount, fee))
    return found
