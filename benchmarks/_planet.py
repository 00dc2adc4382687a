"""A lake of simulated events straight as Parquet, vectorised: ten million in about a minute, the same for the same size.

Here belongs traffic of the right shape and size for the warehouse: leads that begin evenly over the days, talk, are answered, scored,
booked and metered, of 20 tenants in four time zones; one event of fifty is told twice. Not here: truth to check against (`tests`), anything
of webhooks.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from core.business_time import Calendar, intervals, parse_shift
from core.columns import columns
from core.events import EVENT_TYPES, Event
from core.reference import (
    REFERENCE_TYPES,
    BusinessInterval,
    CreditRate,
    DebitRate,
    LeadPoint,
    Policy,
    RecoveryStep,
    Run,
    ScoringWeights,
    Tenant,
    TokenThreshold,
)
from orchestration.resources.arrow import schema_of, table_of

START = datetime(2026, 3, 1, tzinfo=UTC)
TENANTS = 20
EVENTS_A_LEAD = 58.5
"""Measured: rows of the lake, repeats included, over leads."""

_ZONES = ("Asia/Kolkata", "America/New_York", "Europe/Berlin", "UTC")
_CHANNEL = "case when channel_no < 85 then 'whatsapp' when channel_no < 92 then 'instagram' else 'messenger' end"
_STEPS = f"""
create or replace temp table leads as
select
    i, 'tenant_' || hash(i, 1) % {TENANTS} as tenant_id, 'cp_' || md5('p' || i) as point_id, hash(i, 2) % 100 as channel_no,
    {_CHANNEL} as channel,
    epoch_us(timestamptz '{START.isoformat()}') + (hash(i, 3) % ({{days}} * 86400))::bigint * 1000000 + (hash(i,
    4) % 1000000)::bigint as begins,
    2 + (hash(i, 5) % 13)::bigint + (hash(i, 6) % 14)::bigint as talks
from range({{leads}}) as t (i);
create or replace temp table steps as
select *, (begins + sum(gap) over (partition by i order by k))::bigint as at_us
from (
    select *, case when k = 0 then 0 when hash(i, k, 9) % 12 = 0 then (hash(i, k, 7) % 400000)::bigint else (hash(i, k,
    8) % 5400)::bigint end
        * 1000000 + (hash(i, k, 10) % 1000000)::bigint as gap
    from (select *, unnest(range(talks)) as k from leads)
);
"""
"""`steps`: what a lead goes through, each with its moment. Even steps are the lead's messages, odd ones ours."""

_EVENTS: dict[str, str] = {
    "messages": """select {common}, 'm' || md5(i || ':' || k) as message_id, channel, channel || '_1' as channel_account_id,
    point_id as contact_point_id,
        case when k % 2 = 0 then 'inbound' else 'outbound' end as direction,
        case when k % 2 = 0 then 'lead' when hash(i, k, 11) % 10 < 6 then 'ai' when hash(i, k,
        11) % 10 < 9 then 'human' else 'automation' end
            as author_type, 'text' as message_type, encode(repeat(md5('t' || i || k), 3)) as text_enc,
        case when k % 2 = 1 and hash(i, k, 11) % 10 = 9 then 'come_back' end as template_name,
        case when k % 2 = 1 and hash(i, k, 11) % 10 = 9 then md5('a' || i || k) end as action_id
        from steps""",
    "message_statuses": """select {common}, 'm' || md5(i || ':' || k) as message_id, point_id as contact_point_id, s.status,
        case when s.status = 'sent' then 'utility' end as pricing_category from steps, (values ('sent', 1), ('delivered', 2), ('read',
        3)) as s (status, n)
        where k % 2 = 1 and hash(i, k, 12) % 4 <> s.n""",
    "ai_turns": """select {common}, point_id as contact_point_id, channel,
        ['none', 'support', 'exploring', 'comparing', 'ready_to_buy'][(hash(i, k, 13) % 5 + 1)::int] as intent,
        case when hash(i, k, 14) % 2 = 0 then (hash(i, 15) % 2000000)::bigint end as budget_minor,
        case when hash(i, k, 14) % 2 = 0 then 'INR' end as budget_currency, (hash(i, k, 16) % 120)::bigint as timeline_days,
        case when hash(i, k, 17) % 5 = 0 then 'price' end as objection, case when hash(i, k,
        18) % 4 = 0 then 'asked_price' end as buying_signal,
        case when hash(i, k, 19) % 200 = 0 then 'legal' else 'none' end as risk, (0.4 + (hash(i, k,
        20) % 60) / 100.0)::double as confidence, 'ask' as next_action,
        ['continue', 'continue', 'continue', 'qualified', 'disqualified'][(hash(i, k, 21) % 5 + 1)::int] as verdict,
        false as asked_for_human
        from steps where k % 4 = 1""",
    "token_usage": """select {common}, point_id as contact_point_id, u.kind, (1 + hash(i, k, n, 22) % 3000)::bigint as quantity,
    'large' as model, channel
        from steps, (values ('llm_input', 1), ('llm_output', 2), ('message', 3)) as u (kind, n) where k % 2 = 1 and (n = 3 or k % 4 = 1)""",
    "lead_events": """select {common}, point_id as contact_point_id, 'p1' as person_id, channel,
        ['assigned', 'human_action', 'next_step_set', 'resolved', 'won', 'lost', 'assigned', 'unassigned'][(hash(i, k,
        23) % 8 + 1)::int] as kind
        from steps where hash(i, k, 24) % 6 = 0""",
    "contact_events": """select {common}, point_id as contact_point_id,
        ['profile_named', 'profile_named', 'opted_out', 'opted_in'][(hash(i, k, 25) % 4 + 1)::int] as kind from steps where hash(i, k,
        26) % 20 = 0""",
    "experiment_events": """select {common}, point_id as contact_point_id, 'e1' as experiment_id,
    case when k = 0 then 'exposed' else 'observed' end as kind,
        case when hash(i, 27) % 2 = 0 then 'a' else 'b' end as variant, 'reply' as metric,
        1.0::double as value from steps where k in (0, 2, 4)""",
    "service_events": """select {common}, 'request' as kind, 'inbox' as service, hash(i, k, 28) % 100 > 0 as is_ok,
        ((hash(i, k, 29) % 1000) / 1000.0)::double as latency_seconds from steps where k % 5 = 0""",
    "appointments": """select {common}, md5('b' || i || k) as appointment_id, point_id as contact_point_id, 'booked' as kind,
    'UTC' as timezone,
        make_timestamptz(at_us + 86400000000) as starts_at, make_timestamptz(at_us + 88200000000) as ends_at from steps where hash(i,
        k, 30) % 40 = 0""",
    "payments": """select {common}, 'payment.captured' as kind, 'pay_' || i as payment_id, 'pay_' || i as subject_id,
    200000::bigint as amount_minor,
        'INR' as currency from steps where k = 1 and hash(i, 31) % 20 = 0""",
}


class Planet:
    """A folder with `lake` and `reference` as an installation has them, and one day more in `tomorrow`, to be moved into the lake."""

    def __init__(self, folder: Path, events: int, days: int) -> None:
        """Write about so many events over so many days, and tomorrow's."""
        folder.mkdir(exist_ok=True)
        self.lake, self.reference, self._tomorrow = folder / "lake", folder / "reference", folder / "tomorrow"
        self.end = START + timedelta(days=days)
        self.leads = round(events / EVENTS_A_LEAD * (days + 4) / days)  # a lead talks for days: the first days have fewer events
        connection = duckdb.connect()
        connection.execute(f"set TimeZone = 'UTC'; set memory_limit = '4GB'; set temp_directory = '{folder / 'tmp'}'")
        connection.execute(_STEPS.format(days=days + 1, leads=self.leads))
        self.events = sum(self._write(connection, each) for each in EVENT_TYPES)
        self._refer(connection, days)
        connection.close()

    def tomorrow(self) -> int:
        """Move tomorrow's events into the lake, and the moment of the next build to its end; returns how many they are."""
        rows = 0
        self.at(self.end + timedelta(days=1))
        for path in sorted(self._tomorrow.glob("*/*/*.parquet")):
            target = self.lake / path.relative_to(self._tomorrow)
            target.parent.mkdir(exist_ok=True)
            rows += pq.read_metadata(path).num_rows
            path.rename(target)
        return rows

    def _write(self, connection: duckdb.DuckDBPyConnection, event: type[Event]) -> int:
        """Files of one table, one a day; returns the rows before tomorrow."""
        schema = schema_of(event)
        for folder in (self.lake, self._tomorrow):
            empty = folder / event.table / "event_date=1970-01-01" / "schema.parquet"
            empty.parent.mkdir(parents=True)
            pq.write_table(schema.empty_table(), empty)
        if event.table not in _EVENTS:
            return 0
        common = (
            "tenant_id, 'platform' as source, 'account' as account_id, at_us, i % 50 = 7 as is_repeated, "
            f"md5('{event.table}' || i || ':' || k{' || n' if ' n)' in _EVENTS[event.table] else ''}) as event_id"
        )
        connection.execute(f"create or replace temp table told as {_EVENTS[event.table].format(common=common)}")
        held = {name for name, *_ in connection.execute("describe told").fetchall()}
        made = {
            "received_at": "make_timestamptz(at_us + 3000000)",
            "occurred_at": "make_timestamptz(at_us)",
            "schema_version": "1::bigint",
            "segment_id": "repeat(md5((at_us // 3600000000)::varchar), 2)",
            "body_hash": "md5(event_id)",
        }
        cells = [made.get(c.name) or (c.name if c.name in held else f"null::{_sql_type(c.type)}") for c in columns(event)]
        named = ", ".join(f'{cell} as "{c.name}"' for cell, c in zip(cells, columns(event), strict=True))
        end = f"timestamptz '{self.end.isoformat()}'"
        connection.execute(
            f"create or replace temp table rows_of as select *, strftime(occurred_at, '%Y-%m-%d') as event_date from ("
            f"select {named} from told "
            f"union all select {named.replace('3000000', '9000000')} from told where is_repeated"
            f") where occurred_at < {end} + interval 1 day"
        )
        for folder, condition in ((self.lake, f"occurred_at < {end}"), (self._tomorrow, f"occurred_at >= {end}")):
            stem = hashlib.md5(f"{event.table} {folder.name}".encode(), usedforsecurity=False).hexdigest()
            connection.execute(
                f"copy (from rows_of where {condition} order by occurred_at) to '{folder / event.table}' ("
                f"format parquet, compression zstd, partition_by (event_date), filename_pattern '{stem}-{{i}}', overwrite_or_ignore true, "
                f"kv_metadata {{'flexoraa.table': '{event.table}', 'flexoraa.schema_version': '1'}})"
            )
        found = connection.execute(f"select count(*) filter (where occurred_at < {end}) from rows_of").fetchone()
        connection.execute("drop table rows_of; drop table told")
        return int(found[0]) if found else 0

    def _refer(self, connection: duckdb.DuckDBPyConnection, days: int) -> None:
        self.reference.mkdir()
        written = {struct: list(rows) for struct, rows in _reference(days)}
        for struct in REFERENCE_TYPES:
            pq.write_table(_table(struct, written.get(struct, ())), self.reference / f"{struct.table}.parquet")
        points = connection.sql(
            "select tenant_id, make_timestamptz(begins) as valid_from, null::timestamptz as valid_to, point_id, "
            "'lead_' || point_id as lead_id, 'phone' as kind from leads order by all"
        ).to_arrow_table()
        names = [column.name for column in columns(LeadPoint)]
        pq.write_table(points.select(names).cast(schema_of(LeadPoint)), self.reference / "lead_points.parquet")
        self.at(self.end)

    def at(self, moment: datetime) -> None:
        """The moment of the next build; files of reference are replaced, never changed."""
        (self.reference / "run.parquet").unlink()
        pq.write_table(_table(Run, [Run(as_of=moment)]), self.reference / "run.parquet")


def _sql_type(kind: str) -> str:
    return {"text": "varchar", "int": "bigint", "float": "double", "bool": "boolean", "time": "timestamptz", "binary": "blob"}[kind]


def _table(struct: type[Struct], rows: Sequence[Struct]) -> pa.Table:
    return table_of(struct, {column.name: [getattr(row, column.field) for row in rows] for column in columns(struct)})


def _reference(days: int) -> Iterator[tuple[type[Struct], list[Struct]]]:
    """Every tenant's dated rows."""
    since = START - timedelta(days=30)
    week = (*[(parse_shift("09:00-13:00"), parse_shift("14:00-18:30"))] * 5, (), ())
    names = [(f"tenant_{number}", _ZONES[number % len(_ZONES)]) for number in range(TENANTS)]
    yield Tenant, [Tenant(tenant_id=name, timezone=zone, default_region="IN", currency="INR") for name, zone in names]
    until = date(2026, 3, 1) + timedelta(days=days + 70)
    calendars = [(name, Calendar(calendar_id="office", timezone=zone, week=week, valid_from=since)) for name, zone in names]
    yield BusinessInterval, [row for name, calendar in calendars for row in intervals(name, [calendar], date(2026, 2, 20), until)]
    yield Policy, [
        Policy(
            tenant_id=name, valid_from=since, calendar_id="office", conversation_gap_seconds=259200, no_reply_business_seconds=1800,
            hot_unassigned_seconds=900, assigned_idle_business_seconds=14400, next_step_seconds=86400, window_closing_seconds=7200,
            max_ai_turns=6, low_confidence=0.5, recovery_template="come_back", recovery_expires_seconds=86400,
        )
        for name, _ in names
    ]  # fmt: skip
    yield ScoringWeights, [
        ScoringWeights(
            tenant_id=name, valid_from=since, intent_points=30, budget_points=20, timeline_points=20, engagement_points=20,
            signal_points=10, hot_at=70, warm_at=40, typical_deal_minor=500_000,
        )
        for name, _ in names
    ]  # fmt: skip
    yield CreditRate, [CreditRate(tenant_id=name, valid_from=since, currency="INR", tokens_per_major=10) for name, _ in names]
    yield (
        DebitRate,
        [
            DebitRate(tenant_id=name, valid_from=since, kind=kind, model=model, channel="", category="", per_quantity=per, tokens=3)
            for name, _ in names
            for kind, model, per in (("llm_input", "", 1000), ("llm_input", "large", 1000), ("llm_output", "", 700), ("message", "", 1))
        ],
    )
    yield (
        RecoveryStep,
        [
            RecoveryStep(tenant_id=name, valid_from=since, attempt=attempt, wait_seconds=wait)
            for name, _ in names
            for attempt, wait in ((1, 86400), (2, 259200), (3, 604800))
        ],
    )
    yield (
        TokenThreshold,
        [
            TokenThreshold(tenant_id=name, valid_from=since, percent=percent, action=action)
            for name, _ in names
            for percent, action in ((20, "alert"), (10, "top_up_link"), (0, "pause"))
        ],
    )
