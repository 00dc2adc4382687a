"""Spikes, run-outs and too much of a kind: by statistics libraries and by walking the days."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from statistics import median, stdev
from zoneinfo import ZoneInfo

from scipy.optimize import brentq
from scipy.stats import median_abs_deviation

from tests.oracles.tokens import Booking


def used_by_day(moves: list[Booking], zones: dict[str, str], as_of: datetime) -> dict[str, dict[date, int]]:
    """Tokens used by tenant and local day, from the first movement of the wallet to `as_of`."""
    found: dict[str, dict[date, int]] = {}
    for tenant, zone in zones.items():
        own = [
            (at.astimezone(ZoneInfo(zone)).date(), kind, tokens)
            for owner, account, kind, at, tokens in moves
            if (owner, account) == (tenant, "wallet")
        ]
        days: dict[date, int] = {}
        day = min(each[0] for each in own)
        while day <= as_of.astimezone(ZoneInfo(zone)).date():
            days[day] = 0
            day += timedelta(days=1)
        for day, kind, tokens in own:
            days[day] -= tokens if kind == "usage" else 0
        found[tenant] = days
    return found


def spikes(days: dict[date, int]) -> dict[date, float]:
    """The robust z of each day that is a spike: against 28 days, at least 7, z 6 and 100 tokens above the median."""
    found, ordered = {}, sorted(days)
    for number, day in enumerate(ordered):
        before = [days[each] for each in ordered[max(0, number - 28) : number]]
        if len(before) < 7:
            continue
        middle = median(before)
        scale = max(float(median_abs_deviation(before, scale="normal")), 0.05 * middle, 1.0)
        if days[day] - middle >= max(6 * scale, 100):
            found[day] = (days[day] - middle) / scale
    return found


def runs_out_in_days(days: dict[date, int], balance: int) -> tuple[float, float, float | None] | str:
    """Days until the balance is used up: expected, earliest, latest; or why nobody can say."""
    observed = [days[each] for each in sorted(days)][1:-1][-28:]
    if balance <= 0:
        return "nothing_left"
    if len(observed) < 7:
        return "not_enough_days"
    if not sum(observed):
        return "no_usage"
    mean, spread, count = sum(observed) / len(observed), stdev(observed), len(observed)

    def short(side: int, length: float) -> float:
        return balance - mean * length - side * 1.959964 * spread * float((length + length**2 / count) ** 0.5)

    latest = brentq(lambda length: short(-1, length), 0, 36_500) if short(-1, 36_500) < 0 else None
    return balance / mean, float(brentq(lambda length: short(1, length), 0, 36_500)), latest


def reached(happened: list[tuple[str, str, datetime]], zones: dict[str, str], at_least: int) -> set[tuple[str, str, date, datetime]]:
    """Tenant, subject, local day and the moment at which so many had happened on it."""
    by_day: dict[tuple[str, str, date], list[datetime]] = defaultdict(list)
    for tenant, subject, at in happened:
        by_day[tenant, subject, at.astimezone(ZoneInfo(zones[tenant])).date()].append(at)
    return {(*key, sorted(moments)[at_least - 1]) for key, moments in by_day.items() if len(moments) >= at_least}
