"""What credits hold, event by event: each use takes from the credit that ends first, and what a credit still holds at its end expires."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

Booking = tuple[str, str, str, datetime, int]
"""Tenant, account, kind, moment, tokens."""


@dataclass
class Lot:
    """One credit: what it began with, when it ends by its own rate card, and what was booked of it if nothing expires."""

    tenant: str
    payment: str
    credited_at: datetime
    tokens: int
    end: datetime | None
    moves: list[Booking]
    most: int = 0
    """What it would hold if nothing of it were used."""
    left: int = 0
    expired: int = field(default=0)
    is_closed: bool = False


def after_expiry(lots: Iterable[Lot], uses: Iterable[tuple[str, datetime, int]], as_of: datetime) -> list[Booking]:
    """All movements of the credits, expiry among them; uses are tenant, moment, tokens."""
    lots, uses = list(lots), list(uses)
    found: list[Booking] = []
    for tenant in {lot.tenant for lot in lots}:
        own = sorted((lot for lot in lots if lot.tenant == tenant), key=lambda lot: (lot.credited_at, lot.payment))
        found += _Wallet(own, [(at, tokens) for owner, at, tokens in uses if owner == tenant]).live(as_of)
    return found


class _Wallet:
    """The credits of one tenant, in the order in which they end."""

    def __init__(self, lots: list[Lot], uses: list[tuple[datetime, int]]) -> None:
        self.lots, self.uses, self.debt = lots, uses, 0
        latest: datetime | None = None
        for number, lot in enumerate(lots):  # none ends before one that was bought earlier
            if number and (latest is None or lot.end is None or lot.end < latest):
                lot.end = latest if latest is None or lot.end is not None else None
            latest = lot.end

    def live(self, as_of: datetime) -> list[Booking]:
        found: list[Booking] = []
        steps: list[tuple[datetime, int, int, Lot | None, int, str]] = []
        for number, lot in enumerate(self.lots):
            if lot.end is not None and lot.end <= as_of:
                steps.append((lot.end, 0, number, lot, 0, "expiry"))
            # movements of one payment at one moment stand in the order in which they were made
            steps += [
                (at, 1, place, lot, tokens, kind) for place, (_, account, kind, at, tokens) in enumerate(lot.moves) if account == "wallet"
            ]
            found += [move for move in lot.moves if move[1] != "wallet"]
        steps += [(at, 2, 0, None, tokens, "usage") for at, tokens in self.uses]
        for at, _, _, lot, tokens, kind in sorted(steps, key=lambda step: step[:3]):
            if lot is None:
                self._pay(tokens)
            elif kind == "expiry":
                lot.expired, lot.left, lot.most, lot.is_closed = lot.left, 0, 0, True
                found += [
                    (lot.tenant, account, kind, at, sign * lot.expired) for account, sign in (("wallet", -1), ("expired", 1)) if lot.expired
                ]
            else:
                found.append((lot.tenant, "expired" if lot.is_closed else "wallet", kind, at, tokens))
                if not lot.is_closed:
                    self._give(lot, tokens) if tokens > 0 else self._take(lot, -tokens)
        return found

    def _pay(self, tokens: int) -> None:
        for lot in self.lots:
            taken = min(lot.left, tokens)
            lot.left -= taken
            tokens -= taken
        self.debt += tokens

    def _give(self, lot: Lot, tokens: int) -> None:
        """What comes (back) pays debts first; uses that others paid for meanwhile are then paid by what ends first."""
        lot.most += tokens
        settled = min(self.debt, tokens)
        self.debt -= settled
        lot.left += tokens - settled
        total = sum(each.left for each in self.lots)
        for each in reversed(self.lots):
            each.left = min(each.most, total)
            total -= each.left

    def _take(self, lot: Lot, tokens: int) -> None:
        lot.most -= tokens
        taken = min(lot.left, tokens)
        lot.left -= taken
        self._pay(tokens - taken)
