"""Which keys of the warehouse may have other rows than after the last build: contact points, leads, messages, events.

Here belongs finding them, in files alone, so that every engine is told the same. A key counts as touched where an event came or came of
age, where who holds a point changed, where its tenant's reference rows changed; then everything that hangs together with it: the leads that
ever held a point, the points that they ever held, points under which one event was told twice, and of touched points all messages and uses.
So a model of one scope may read any of another. Not here: what falls due (`increments` asks the warehouse), what is done with the keys
(`dbt_project/macros/increments.sql`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from core.columns import columns
from core.events import EVENT_TYPES, Event
from core.reference import REFERENCE_TYPES, BusinessInterval, Erasure, LeadAlias, LeadLink, LeadPoint, Run
from orchestration.resources.build_memory import Seen, stem_of
from orchestration.resources.lake_files import LakeFile
from orchestration.resources.lake_views import files_query, quote

_RESOLVED = (LeadPoint, LeadAlias, LeadLink, Erasure, Run)  # compared by what they say of each key, or not at all
_NAMED = {event.table: {column.name for column in columns(event)} for event in EVENT_TYPES}
_IDS = ("contact_point_id", "message_id", "appointment_id")
_EDGE = "interval 3 day"
"""Of the range for which calendars are laid out: a shift may be cut there. It begins 8 days before the first event and ends 62 after
now."""


class Touched:
    """One finding of touched keys, in a DuckDB of its own in memory; `files` are those that count now, by table."""

    def __init__(self, files: Mapping[str, Sequence[LakeFile]], temporary: Path) -> None:
        """Open it; more than 1 GB goes to the folder."""
        self._files = files
        self._events: dict[str, type[Event]] = {event.table: event for event in EVENT_TYPES}
        self._db = duckdb.connect()
        self._db.execute(f"set TimeZone = 'UTC'; set memory_limit = '1GB'; set temp_directory = {quote(temporary)}")
        self._db.execute(
            "create table fresh (table_name text, tenant_id text, event_id text, point text, message_id text, appointment_id text)"
        )
        self._db.execute(
            "create table touched (tenant_id text, scope text, key text); create table twins (tenant_id text, one text, other text)"
        )

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    def all_twins(self) -> None:
        """For a build of everything: points under which one event was told, by whoever told it."""
        for table in self._with_points():
            self._twins(self._all(table))

    def since(self, before: Seen, memory: Path, reference: Path, as_of: datetime, days: Collection[date] = ()) -> None:
        """All that differs between what the last build saw and now, except what falls due; and all events of some days."""
        for table, files in self._files.items():
            known = before.files.get(table, {})
            new = [file for file in files if file.name not in known]
            self._add_fresh(table, [file for file in files if file.day in days and (file.is_merged or file.name in known)])
            self._add_fresh(table, [file for file in new if not file.is_merged])
            merged = [file for file in new if file.is_merged]
            self._add_fresh(table, merged, f"substr(segment_id, 1, 32) not in (select unnest({sorted(before.stems)!r}::text[]))")
            # a merged file may hold what is not yet of age as well
            old = [file for file in files if (file.name in known or file.is_merged) and file.day >= _day(before.as_of)]
            self._add_fresh(table, old, f"occurred_at > {literal(before.as_of)}")
        self._db.execute(f"insert into twins from read_parquet({quote(memory / 'twins.parquet')})")
        self._touch("point", "select tenant_id, point from fresh")
        self._touch("message", "select tenant_id, message_id from fresh where table_name = 'message_statuses'")
        self._touch("event", "select tenant_id, event_id from fresh")
        for table in self._with_points():
            if self._has(f"from fresh where table_name = '{table}'"):
                same = f"(tenant_id, event_id) in (select tenant_id, event_id from fresh where table_name = '{table}')"
                told = f"select distinct tenant_id, event_id, contact_point_id from ({self._all(table)}) where {same}"
                self._db.execute(f"create or replace table again as {told}")  # the lake's ids are read once: half of what this costs
                self._touch("point", "select tenant_id, contact_point_id from again")
                self._twins("from again")
        self._others_of("messages", "message_id", "message_statuses")
        self._others_of("appointments", "appointment_id", "appointments")
        self._referred(before, memory, as_of, reference)

    def add(self, scope: str, keys: Iterable[tuple[str, str]]) -> None:
        """Keys that somebody else knows to be touched."""
        rows = list(keys)
        if rows:
            self._db.execute(
                "insert into touched select unnest(?::text[]), ?, unnest(?::text[])",
                [[each for each, _ in rows], scope, [key for _, key in rows]],
            )

    def add_file(self, path: Path) -> None:
        """Keys that a build touched that did not end."""
        self._db.execute(f"insert into touched select tenant_id, scope, key from read_parquet({quote(path)})")

    def close_over(self, lead_points: Sequence[Path]) -> None:
        """Add what hangs together with the touched: by leads and points of all times, and by twins; last, the points' messages and uses."""
        held = " union all ".join(f"select tenant_id, point_id, lead_id from read_parquet({quote(path)})" for path in lead_points)
        twins = "select tenant_id, 'point', {}, 'point', {} from twins"
        self._db.execute(
            "create table edges as select distinct * from ("
            f"select tenant_id, 'point' as scope, point_id as key, 'lead' as other_scope, lead_id as other from ({held}) "
            f"union all select tenant_id, 'lead', lead_id, 'point', point_id from ({held}) "
            f"union all {twins.format('one', 'other')} union all {twins.format('other', 'one')})"
        )
        self._db.execute("create table reached as select distinct * from touched where key is not null")
        self._db.execute("create table newest as from reached")
        while self._has("from newest"):
            self._db.execute(
                "create or replace table newest as "
                "select distinct edges.tenant_id, edges.other_scope as scope, edges.other as key from edges "
                "join newest using (tenant_id, scope, key) anti join reached on reached.tenant_id = edges.tenant_id "
                "and reached.scope = edges.other_scope and reached.key = edges.other; insert into reached from newest"
            )
        at_points = "(tenant_id, contact_point_id) in (select tenant_id, key from reached where scope = 'point')"
        for scope, key, table in (("message", "message_id", "messages"), ("event", "event_id", "token_usage")):
            rows = f"from ({self._all(table)}) where {key} is not null and {at_points}"
            self._db.execute(f"insert into reached select distinct tenant_id, '{scope}', {key} {rows}")

    def write(self, path: Path, twins: Path) -> dict[str, int]:
        """The keys and the twins as files; returns how many keys each scope has."""
        made = "create table if not exists reached as from touched; create or replace table reached as select distinct * from reached"
        self._db.execute(made)
        columns_of = "select tenant_id, scope, key from reached order by all"
        self._db.execute(f"copy ({columns_of}) to {quote(path)} (format parquet)")
        self._db.execute(f"copy (select distinct * from twins order by all) to {quote(twins)} (format parquet)")
        return dict(self._db.execute("select scope, count(*) from reached group by 1 order by 1").fetchall())

    def _with_points(self) -> list[str]:
        return [table for table, files in self._files.items() if files and "contact_point_id" in _NAMED[table]]

    def _all(self, table: str) -> str:
        return files_query(self._events[table], self._files[table])

    def _add_fresh(self, table: str, files: Sequence[LakeFile], condition: str = "true") -> None:
        if files:
            ids = ", ".join(name if name in _NAMED[table] else "null" for name in _IDS)
            rows = files_query(self._events[table], files)
            self._db.execute(f"insert into fresh select '{table}', tenant_id, event_id, {ids} from ({rows}) where {condition}")

    def _touch(self, scope: str, select: str) -> None:
        self._db.execute(f"insert into touched select distinct tenant_id, '{scope}', #2 from ({select}) where #2 is not null")

    def _others_of(self, table: str, name: str, told_in: str) -> None:
        """Points of all rows of a table that share an id with fresh rows of another one."""
        if self._files[table] and self._has(f"from fresh where table_name = '{told_in}' and {name} is not null"):
            same = f"(tenant_id, {name}) in (select tenant_id, {name} from fresh where table_name = '{told_in}')"
            self._touch("point", f"select tenant_id, contact_point_id from ({self._all(table)}) where {same}")

    def _twins(self, rows: str) -> None:
        """Pairs of points under which one event of these rows, of one table, was told."""
        self._db.execute(
            f"insert into twins with told as (select distinct tenant_id, event_id, contact_point_id as point from ({rows}) "
            "where contact_point_id is not null), several as (select tenant_id, event_id, min(point) as one from told "
            "group by all having min(point) <> max(point)) select distinct tenant_id, one, point from several join told "
            "using (tenant_id, event_id) where point <> one"
        )

    def _referred(self, before: Seen, memory: Path, as_of: datetime, reference: Path) -> None:
        """Holders that changed; and every key of tenants whose configured rows did."""

        def held(folder: Path, moment: datetime) -> str:
            valid_to = f"case when valid_to <= {literal(moment)} then valid_to end"
            rows = f"read_parquet({quote(folder / 'lead_points.parquet')})"
            return f"select tenant_id, lead_id, point_id, kind, valid_from, {valid_to} from {rows} where valid_from <= {literal(moment)}"

        one, other = held(memory, before.as_of), held(reference, as_of)
        self._db.execute(f"create table moved as (({one}) except ({other})) union all (({other}) except ({one}))")
        self._touch("point", "select tenant_id, point_id from moved")
        self._touch("lead", "select tenant_id, lead_id from moved")
        one, other = (f"read_parquet({quote(folder / 'erasures.parquet')})" for folder in (memory, reference))
        self._touch(
            "point", f"select tenant_id, point_id from ((from {one} except from {other}) union all (from {other} except from {one}))"
        )
        configured: list[str] = [row.table for row in REFERENCE_TYPES if row not in _RESOLVED]  # type: ignore[attr-defined]  # all have one
        changed = " union ".join(_changed(table, memory, reference) for table in configured)
        self._db.execute(f"create table tenants as select distinct tenant_id from ({changed})")
        if self._has("from tenants"):
            for table in self._files:
                rows = f"from ({self._all(table)}) where tenant_id in (from tenants)"
                self._touch("event", f"select tenant_id, event_id {rows}")
                for name, scope in (("contact_point_id", "point"), ("message_id", "message")):
                    if name in _NAMED[table]:
                        self._touch(scope, f"select tenant_id, {name} {rows}")
            for folder in (memory, reference):
                points = f"from read_parquet({quote(folder / 'lead_points.parquet')}) where tenant_id in (from tenants)"
                self._touch("lead", f"select tenant_id, lead_id {points}")
                self._touch("point", f"select tenant_id, point_id {points}")

    def _has(self, query: str) -> bool:
        return bool(self._db.execute(f"select exists ({query})").fetchall()[0][0])


def _changed(table: str, memory: Path, reference: Path) -> str:
    """Tenants whose rows of a reference table differ; calendars only where both builds laid them out."""
    one, other = (f"read_parquet({quote(folder / f'{table}.parquet')})" for folder in (memory, reference))
    if table != BusinessInterval.table:
        return f"select tenant_id from ((from {one} except from {other}) union all (from {other} except from {one}))"
    both = f"(select greatest(min(a.opened_at), (select min(opened_at) from {other})) + {_EDGE} from {one} as a)"
    end = f"(select least(max(a.closed_at), (select max(closed_at) from {other})) - {_EDGE} from {one} as a)"
    rows = [
        f"select tenant_id, calendar_id, opened_at, closed_at from {each} where opened_at >= {both} and closed_at <= {end}"
        for each in (one, other)
    ]
    return f"select tenant_id from (({rows[0]} except {rows[1]}) union all ({rows[1]} except {rows[0]}))"


def literal(moment: datetime) -> str:
    """A moment in SQL, on every engine."""
    return f"timestamp with time zone '{moment.astimezone(UTC).isoformat()}'"


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def is_plain_growth(before: Seen, files: Mapping[str, Sequence[LakeFile]]) -> str:
    """Empty where the lake only grew, or had files merged, since a build; else what makes it impossible to tell which rows are new.

    Nothing of `unmodelled` is built, so its files may come and go.
    """
    for table, each in files.items():
        now = {file.name: file for file in each}
        merged_days = {file.day for file in each if file.is_merged and file.name not in before.files.get(table, {})}
        if table == "unmodelled":
            continue
        for name, look in before.files.get(table, {}).items():
            file = now.get(name)
            if file is None and date.fromisoformat(name.partition("/")[0].removeprefix("event_date=")) not in merged_days:
                return f"{table}/{name} is gone from the lake"
            if file is not None and file.changed_ns != tuple(look)[1]:  # what only lost ciphertext keeps its time of change
                return f"{table}/{name} was written anew"
        for name, file in now.items():
            if name not in before.files.get(table, {}) and not file.is_merged and stem_of(file) in before.stems:
                return f"the segment of {table}/{name} was taken in again"
    return ""
