"""Values in words: with units, in the reader's time zone; and as CSV, raw.

Here belongs formatting of one value. Not here: where it stands on a page.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ml.reports.site.parts import Column, Row

NOTHING = "–"
_DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}
"""Digits of the minor unit where they are not two (ISO 4217)."""
_RISKY = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula."""


def told(column: Column, row: Row, zone: ZoneInfo) -> str:  # noqa: PLR0911 — one return a kind
    """A cell for people; of moments the column's head names the zone.

    >>> told(Column("x", "", "ratio"), {"x": 0.123}, ZoneInfo("UTC")), told(Column("x", "", "seconds"), {"x": 7265}, ZoneInfo("UTC"))
    ('12.3 %', '2 h 1 min')
    """
    value = row.get(column.name)
    if value is None or value == "":
        return NOTHING
    match column.kind:
        case "count" | "tokens":
            return _signed(f"{int(value):,}")
        case "ratio":
            return _signed(_ratio(float(value)))
        case "number":
            return _signed(f"{float(value):,.4g}" if abs(float(value)) < 10_000 else f"{float(value):,.0f}")
        case "seconds":
            return duration(float(value))
        case "moment":
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
        case "date":
            return value.isoformat() if isinstance(value, date) else str(value)
        case "money":
            return money(int(value), str(row.get("currency") or ""))
        case "flag":
            return "yes" if value else "no"
        case "word":
            return str(value).replace("_", " ")
        case _:
            return str(value)


def _ratio(value: float) -> str:
    """Per cent; close to a whole, as many digits as it takes to tell it from one: 99.95 % is not 100 %."""
    digits = 1 if abs(value) < 0.995 or value >= 1 else 2
    return f"{value:.{digits}%}".replace("%", " %")


def _signed(text: str) -> str:
    """With a minus that is as wide as a plus."""
    return text.replace("-", "−", 1) if text.startswith("-") else text


def duration(seconds: float) -> str:
    """The two largest units.

    >>> duration(59.4), duration(86_400 * 3 + 3_600), duration(-90)
    ('59 s', '3 d 1 h', '−1 min 30 s')
    """
    sign, rest = ("−" if seconds < 0 else ""), round(abs(seconds))
    if 0 < abs(seconds) < 10:
        return f"{sign}{abs(seconds):.2g} s"
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return sign + " ".join(parts)


def moment(value: datetime, zone: ZoneInfo) -> str:
    """To the minute, with the zone's name: a number without it is no time."""
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def money(minor: int, currency: str) -> str:
    """In major units, with the currency.

    >>> money(-123456, "INR"), money(500, "JPY")
    ('−1,234.56 INR', '500 JPY')
    """
    digits = _DECIMALS.get(currency, 2)
    amount = Decimal(abs(minor)).scaleb(-digits)
    return f"{'−' if minor < 0 else ''}{amount:,.{digits}f} {currency}".rstrip()


def sortable(column: Column, row: Row) -> str:
    """The same cell as a text that sorts: numbers as digits, times in UTC."""
    value = row.get(column.name)
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(int(value) if isinstance(value, bool) else value)


def as_csv(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """RFC 4180 with a header: raw values, times in UTC; no cell begins as a formula of a spreadsheet does."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    names = [column.name for column in columns]
    if any(column.kind == "money" for column in columns) and "currency" not in names:
        names.append("currency")
    writer.writerow(names)
    writer.writerows([_raw(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def _raw(value: Any) -> Any:
    if isinstance(value, str):
        return "'" + value if value.startswith(_RISKY) else value
    return value.isoformat() if isinstance(value, datetime) else value
