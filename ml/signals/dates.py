"""Days of the calendar that a timeline may name: the coming Friday, the end of next month, the coming Diwali.

Here belong dates, by the local date of the message. Not here: words (`timelines`). Festivals of the moon are a dated table,
`festivals.tsv`: beyond it a festival has no date, rather than a guessed one.
"""

import calendar
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from ml.signals.words import fold, key, latin

MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


def add_months(day: date, months: int) -> date:
    """The same day of another month, or that month's last.

    >>> add_months(date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def month_end(day: date) -> date:
    """The last day of its month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def coming_month(today: date, month: int) -> date:
    """The first of the coming month of that number (1 to 12); the current one counts.

    >>> coming_month(date(2026, 3, 20), 3), coming_month(date(2026, 3, 20), 2)
    (datetime.date(2026, 3, 1), datetime.date(2027, 2, 1))
    """
    return date(today.year + (month < today.month), month, 1)


def coming_weekday(today: date, weekday: int) -> date:
    """The first such day after today; 0 is Monday."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def next_weekday(today: date, weekday: int) -> date:
    """That day of the next week, which begins on Monday."""
    return today + timedelta(days=7 - today.weekday() + weekday)


def coming_weekend(today: date) -> date:
    """Saturday of this week, or today if the weekend is here."""
    return today + timedelta(days=max(0, 5 - today.weekday()))


def coming_day(today: date, day: int) -> date | None:
    """The coming day of that number in a month that has it; today counts."""
    for ahead in range(3):
        month = add_months(today.replace(day=1), ahead)
        if day <= calendar.monthrange(month.year, month.month)[1] and month.replace(day=day) >= today:
            return month.replace(day=day)
    return None


def day_of(today: date, day: int, month: int, year: int | None) -> date | None:
    """A date of the calendar; without a year the coming one. None where it does not exist or, with its year, is over."""
    for guess in (year,) if year is not None else (today.year, today.year + 1):
        try:
            found = date(guess, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def quarter_end(today: date) -> date:
    """The last day of the calendar's quarter."""
    return month_end(today.replace(day=1, month=(today.month - 1) // 3 * 3 + 3))


@cache
def _festivals() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Festival by spelling and by key, and the dates of each."""
    spellings: dict[str, str] = {}
    dates: dict[str, tuple[str, ...]] = {}
    for line in files("ml.signals").joinpath("festivals.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, forms, days = line.split("\t")
        dates[name] = tuple(days.split())
        for form in forms.split():
            plain = latin(fold(form))
            spellings[plain] = name
            if len(key(plain)) > 5:
                spellings[key(plain)] = name
    return spellings, dates


def festival(word: str) -> str | None:
    """The festival that a folded word in Latin letters names.

    >>> festival("deepawali"), festival("holiday")
    ('diwali', None)
    """
    spellings, _ = _festivals()
    return spellings.get(word) or spellings.get(key(word))


def festival_date(name: str, today: date) -> date | None:
    """The first day of that festival from today on; None where the table ends before it."""
    for each in _festivals()[1][name]:
        if len(each) == 5:  # of the sun: the same every year
            month, day = map(int, each.split("-"))
            return day_of(today, day, month, None)
        if date.fromisoformat(each) >= today:
            return date.fromisoformat(each)
    return None
