"""Business time against a slow oracle that walks the wall clock second by second, and its laws."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.business_time import Calendar, Shift, due, elapsed, intervals, parse_shift
from core.reference import BusinessInterval

START = datetime(2020, 1, 1, tzinfo=UTC)

# Zones and days around a change of the clocks, in both directions and by odd amounts, and one without any.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),  # 02:00 -> 03:00
    ("Europe/Berlin", date(2026, 10, 25)),  # 03:00 -> 02:00
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour back
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Santiago", date(2026, 9, 6)),  # at midnight: 00:00 -> 01:00
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("Asia/Kolkata", date(2026, 6, 15)),
]


def calendar(zone: str, week: list[list[str]], holidays: frozenset[date] = frozenset()) -> Calendar:
    shifts = tuple(tuple(parse_shift(text) for text in day) for day in week)
    return Calendar(calendar_id="c", timezone=zone, week=shifts, holidays=holidays, valid_from=datetime(2000, 1, 1, tzinfo=UTC))


def spans(rows: list[BusinessInterval]) -> list[tuple[str, str]]:
    return [(f"{row.opened_at:%m-%dT%H:%M}", f"{row.closed_at:%m-%dT%H:%M}") for row in rows]


def oracle(version: Calendar, begin: datetime, end: datetime, step: int) -> list[bool]:
    """Open or not at each step, straight from the rule: scan the wall clock for first and last instants."""
    zone = ZoneInfo(version.timezone)
    wide = timedelta(days=4)
    ticks = [begin - wide + timedelta(seconds=step * index) for index in range(int((end - begin + 2 * wide).total_seconds()) // step)]
    walls = [tick.astimezone(zone).replace(tzinfo=None) for tick in ticks]
    is_open = [False] * len(ticks)
    day = (begin - timedelta(days=3)).date()
    while day <= (end + timedelta(days=2)).date():
        for shift in () if day in version.holidays else version.week[day.weekday()]:
            midnight = datetime.combine(day, time())
            opens, closes = midnight + timedelta(minutes=shift.opens), midnight + timedelta(minutes=shift.closes)
            first = next((index for index, wall in enumerate(walls) if wall >= opens), len(ticks))
            last = max((index for index, wall in enumerate(walls) if wall < closes), default=-1)
            for index in range(first, last + 1):
                is_open[index] = True
        day += timedelta(days=1)
    return [state for tick, state in zip(ticks, is_open, strict=True) if begin <= tick < end]


def covered(rows: list[BusinessInterval], begin: datetime, end: datetime, step: int) -> list[bool]:
    ticks = [begin + timedelta(seconds=step * index) for index in range(int((end - begin).total_seconds()) // step)]
    return [any(row.opened_at <= tick < row.closed_at for row in rows) for tick in ticks]


minutes = st.integers(0, 95).map(lambda quarter: quarter * 15)
shift_texts = st.tuples(minutes, st.integers(1, 96)).map(lambda pair: Shift(pair[0], pair[0] + pair[1] * 15))
weeks = st.lists(st.lists(shift_texts, max_size=3).map(tuple), min_size=7, max_size=7).map(tuple)


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@settings(max_examples=8, deadline=None)
@given(week=weeks, has_holiday=st.booleans())
def test_intervals_agree_with_the_wall_clock(zone: str, day: date, week: tuple[tuple[Shift, ...], ...], has_holiday: bool) -> None:
    holidays = frozenset({day}) if has_holiday else frozenset()
    version = Calendar(calendar_id="c", timezone=zone, week=week, holidays=holidays, valid_from=datetime(2000, 1, 1, tzinfo=UTC))
    first, last = day - timedelta(days=1), day + timedelta(days=2)
    begin, end = datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC)
    rows = intervals("t", [version], first, last)
    assert covered(rows, begin, end, 900) == oracle(version, begin, end, 900)


def test_second_by_second_on_the_hours_of_a_change() -> None:
    for zone, day, shifts in (
        ("Europe/Berlin", date(2026, 3, 29), ["02:30-02:45", "01:59-02:01", "02:10-04:00"]),
        ("Europe/Berlin", date(2026, 10, 25), ["02:30-02:45", "01:30-02:15"]),
    ):
        for text in shifts:
            version = calendar(zone, [[text]] * 7)
            rows = intervals("t", [version], day, day + timedelta(days=1))
            begin = datetime.combine(day, time(), UTC)
            end = begin + timedelta(hours=4)
            assert covered(rows, begin, end, 1) == oracle(version, begin, end, 1), (zone, text)


def test_the_examples_of_the_decisions() -> None:
    nine_to_six = calendar("Asia/Kolkata", [["09:00-18:00"]] * 5 + [[], []])
    assert spans(intervals("t", [nine_to_six], date(2026, 11, 6), date(2026, 11, 10))) == [
        ("11-06T03:30", "11-06T12:30"),
        ("11-09T03:30", "11-09T12:30"),
    ]
    night = calendar("Europe/Berlin", [["22:00-06:00"]] * 7, frozenset({date(2026, 12, 25)}))
    assert spans(intervals("t", [night], date(2026, 12, 24), date(2026, 12, 27))) == [
        ("12-24T00:00", "12-24T05:00"),
        ("12-24T21:00", "12-25T05:00"),  # started on the 24th, runs into the holiday
        ("12-26T21:00", "12-27T00:00"),  # nothing starts on the 25th
    ]
    # Spring: 02:30 does not exist, the shift opens at the change (01:00 UTC). Autumn: 02:30 comes twice, from the first to the
    # second.
    early = calendar("Europe/Berlin", [["02:30-06:00"]] * 7)
    assert spans(intervals("t", [early], date(2026, 3, 29), date(2026, 3, 30))) == [("03-29T01:00", "03-29T04:00")]
    late = calendar("Europe/Berlin", [["00:30-02:30"]] * 7)
    (row, *_) = intervals("t", [late], date(2026, 10, 24), date(2026, 10, 26))[1:]
    assert spans([row]) == [("10-24T22:30", "10-25T01:30")]  # three hours long by the clock of UTC
    assert elapsed([row], row.opened_at, row.closed_at) == timedelta(seconds=0) + timedelta(hours=3)


def test_versions_count_in_their_own_validity() -> None:
    change = datetime(2026, 11, 6, 6, 0, tzinfo=UTC)
    week = tuple((parse_shift("00:00-24:00"),) for _ in range(7))
    old = Calendar(calendar_id="c", timezone="UTC", week=week, valid_from=START, valid_to=change)
    new = Calendar(calendar_id="c", timezone="UTC", week=((),) * 7, valid_from=change)
    rows = intervals("t", [old, new], date(2026, 11, 5), date(2026, 11, 8))
    assert [(row.opened_at, row.closed_at) for row in rows] == [(datetime(2026, 11, 5, tzinfo=UTC), change)]


def test_overlapping_and_touching_shifts_are_one_interval() -> None:
    rows = intervals("t", [calendar("UTC", [["09:00-12:00", "11:00-13:00", "13:00-14:00", "20:00-24:00", "00:00-01:00"]] * 7)],
                     date(2026, 11, 2), date(2026, 11, 3))  # fmt: skip
    assert spans(rows) == [("11-02T00:00", "11-02T01:00"), ("11-02T09:00", "11-02T14:00"), ("11-02T20:00", "11-03T00:00")]
    assert [row.open_seconds_before for row in rows] == [0, 3600, 6 * 3600]


ROWS = intervals("t", [calendar("America/New_York", [["09:00-12:30", "13:00-18:00"]] * 5 + [["22:00-02:30"], []])],
                 date(2026, 10, 20), date(2026, 11, 20))  # fmt: skip
edges = st.sampled_from([moment for row in ROWS for moment in (row.opened_at, row.closed_at)])
anywhere = st.datetimes(datetime(2026, 10, 19), datetime(2026, 11, 21), timezones=st.just(UTC))  # noqa: DTZ001 — hypothesis adds the zone
moments = st.one_of(edges, anywhere, st.tuples(edges, st.integers(-2, 2)).map(lambda pair: pair[0] + timedelta(microseconds=pair[1])))


@given(moments, moments, moments)
def test_elapsed_adds_up_and_never_exceeds_the_wall_clock(a: datetime, b: datetime, c: datetime) -> None:
    assert elapsed(ROWS, a, b) + elapsed(ROWS, b, c) == elapsed(ROWS, a, c)
    low, high = sorted((a, b))
    assert timedelta() <= elapsed(ROWS, low, high) <= high - low


@given(
    moments,
    st.one_of(st.timedeltas(timedelta(), timedelta(hours=300)), st.integers(0, 40).map(lambda n: timedelta(minutes=30 * n))),
)
def test_due_is_the_earliest_moment_of_its_target(since: datetime, target: timedelta) -> None:
    moment = due(ROWS, since, target)
    if moment is None:
        assert elapsed(ROWS, since, ROWS[-1].closed_at) < target
        return
    assert moment >= since
    assert elapsed(ROWS, since, moment) == target
    if target:
        assert elapsed(ROWS, since, moment - timedelta(microseconds=1)) < target


@given(moments, moments)
def test_due_inverts_elapsed(a: datetime, b: datetime) -> None:
    low, high = sorted((a, b))
    moment = due(ROWS, low, elapsed(ROWS, low, high))
    assert moment is not None
    assert moment <= high
    assert elapsed(ROWS, moment, high) == timedelta()


def test_due_on_the_boundaries() -> None:
    rows = intervals("t", [calendar("UTC", [["09:00-10:00"]] * 7)], date(2026, 11, 2), date(2026, 11, 4))
    nine, ten = datetime(2026, 11, 2, 9, tzinfo=UTC), datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert due(rows, nine, timedelta(hours=1)) == ten  # used up exactly at closing: due then
    assert due(rows, ten, timedelta(microseconds=1)) == datetime(2026, 11, 3, 9, 0, 0, 1, tzinfo=UTC)
    assert due(rows, ten, timedelta()) == ten
    assert due(rows, nine, timedelta(hours=2, microseconds=1)) is None
    assert due([], nine, timedelta(seconds=1)) is None
    assert elapsed([], nine, ten) == timedelta()
    with pytest.raises(ValueError, match="negative"):
        due(rows, nine, timedelta(seconds=-1))


@pytest.mark.parametrize("text", ["9:00-18:00", "09:00-09:00", "24:00-25:00", "09:00-24:30", "09:60-10:00", "09:00–18:00", ""])
def test_what_is_no_shift(text: str) -> None:
    with pytest.raises(ValueError, match="no shift|no length"):
        parse_shift(text)
