"""The quarantine in Postgres: entries, their encrypted bodies, replays, and who read what.

Here belongs the port `core.quarantine.Quarantine`, and what the command asks besides. Not here: decoding again (`assets.replay`), how
entries come in (`ledger`).
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from core.ports import Clock, Count, Held
from core.quarantine import RETENTION, Choice, Entry, Kind, Outcome, Replay, quarantine_id, replay_id
from core.sealing import unseal
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

_ENTRY = ", ".join(Entry._fields)
_CHOICE = """
    (cardinality(cast(:ids as text[])) = 0 or quarantine_id = any(cast(:ids as text[])))
    and (cast(:tenant_id as text) is null or tenant_id = :tenant_id)
    and (cast(:source as text) is null or source = :source)
    and (cast(:reason as text) is null or reason = :reason)
    and (cast(:state as text) is null or state = :state)
    and (cast(:since as timestamptz) is null or received_at >= :since)
"""
_EXPIRE = """
    with due as (
        select q.quarantine_id
        from ops.quarantine q
        left join ops.segments s using (segment_id)
        left join ops.reference p
            on p.tenant_id = q.tenant_id and p.section = 'policies'
            and p.valid_from <= :as_of and (p.valid_to is null or :as_of < p.valid_to)
        where q.state = 'held'
            and coalesce(q.received_at, s.ingested_at)
                <= :as_of - make_interval(days => coalesce((
                    select r.days from ops.retention_rules r where r.tenant_id = q.tenant_id and r.kept = 'quarantine'
                    order by r.number desc limit 1
                ), (p.body ->> 'quarantine_retention_days')::int, :days))
            and not exists (select from ops.replays r where r.segment_id = q.segment_id and r.state = 'begun')
            and not exists (
                select from ops.legal_holds h where h.tenant_id = q.tenant_id and h.releases is null
                and not exists (select from ops.legal_holds e where e.releases = h.hold_id)
            )
        for update of q
    )
    update ops.quarantine q set state = 'expired', body_enc = null, changed_at = :now
    from due where q.quarantine_id = due.quarantine_id returning q.tenant_id, q.reason
"""
_COUNT = """
    insert into ops.segment_counts as old (segment_id, tenant_id, source, received, accepted, rejected, replayed)
    values (:segment_id, :tenant_id, :source, :received, :accepted, :rejected, :replayed)
    on conflict (segment_id, tenant_id, source) do update set
        received = old.received + excluded.received, accepted = old.accepted + excluded.accepted,
        rejected = old.rejected + excluded.rejected, replayed = old.replayed + excluded.replayed
"""
_EARLIER = """
    with recursive found (replay_id) as (
        select replay_id from ops.replays where segment_id = :segment_id and state = 'done'
        union select r.replay_id from ops.replays r join found on r.segment_id = found.replay_id where r.state = 'done'
    )
    select replay_id from found order by 1
"""


class PostgresQuarantine:
    """The tables `ops.quarantine`, `ops.replays` and `ops.quarantine_reads`."""

    def __init__(self, state: State, vault: Vault, clock: Clock) -> None:
        """`vault` holds the keys of the bodies, `clock` says when something was done."""
        self._state = state
        self._vault = vault
        self._clock = clock
        self._audit = PostgresAudit(state, vault)

    def find(self, choice: Choice, limit: int | None = None) -> list[Entry]:
        """Chosen entries, newest first."""
        query = text(
            f"select {_ENTRY} from ops.quarantine where {_CHOICE} order by received_at desc nulls last, quarantine_id limit :limit"
        )
        return [Entry(*row) for row in self._rows(query, {**_values(choice), "limit": limit})]

    def counts(self, choice: Choice) -> dict[str, dict[str, int]]:
        """How many of the chosen entries by reason and state."""
        query = text(f"select reason, state, count(*) from ops.quarantine where {_CHOICE} group by 1, 2 order by 1, 2")
        found: dict[str, dict[str, int]] = {}
        for reason, state, number in self._rows(query, _values(choice)):
            found.setdefault(reason, {})[state] = number
        return found

    def states(self) -> dict[str, int]:
        """How many entries by state."""
        query = text("select state, count(*) from ops.quarantine group by 1 order by 1")
        return dict(map(tuple, self._rows(query, {})))

    def reveal(self, entry: Entry, reader: str) -> bytes | None:
        """The line of an entry; that it was read, and by whom, is committed first. None where its body is gone."""
        note = text(
            "insert into ops.quarantine_reads (quarantine_id, tenant_id, read_at, reader) "
            "values (:quarantine_id, :tenant_id, :read_at, :reader)"
        )
        with self._state.begin() as connection:
            connection.execute(
                note,
                {"quarantine_id": entry.quarantine_id, "tenant_id": entry.tenant_id, "read_at": self._clock.now(), "reader": reader},
            )
            self._audit.within(connection).append(entry.tenant_id, reader, "quarantine.read", entry.quarantine_id, {})
        found = next(self._sealed("quarantine_id = %s", (entry.quarantine_id,)), None)
        return None if found is None else found[1]

    def lines(self, choice: Choice) -> Mapping[str, Sequence[int]]:
        """Segments with those of their lines that have a chosen entry that is still held."""
        query = text(
            f"select segment_id, array_agg(distinct line) from ops.quarantine where {_CHOICE} and state = 'held' group by 1 order by 1"
        )
        return {row[0]: row[1] for row in self._rows(query, _values(choice))}

    def entries(self, segment_id: str) -> Sequence[Entry]:
        """Every held entry of a segment."""
        query = text(f"select {_ENTRY} from ops.quarantine where segment_id = :segment_id and state = 'held' order by line, item")
        return [Entry(*row) for row in self._rows(query, {"segment_id": segment_id})]

    def bodies(self, segment_id: str, lines: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Line number and bytes of held lines, in their order."""
        return self._sealed("segment_id = %s and line = any(%s)", (segment_id, list(lines)))

    def _sealed(self, where: str, values: tuple[Any, ...]) -> Iterator[tuple[int, bytes]]:
        query = (
            "select distinct on (segment_id, line) segment_id, line, item, tenant_id, body_enc from ops.quarantine "
            f"where state = 'held' and {where} order by segment_id, line, item"
        )
        with self._state.psycopg() as connection, connection.cursor(name="bodies") as cursor:  # at the server: bodies may be many
            cursor.itersize = 100
            for segment_id, line, item, tenant_id, sealed in cursor.execute(query, values):
                key = self._vault.tenant_key(tenant_id, "fragment")
                yield line, unseal(key, sealed, f"{segment_id}:{line}:{item}".encode())

    def earlier(self, segment_id: str) -> Sequence[str]:
        """Ids of replays of this segment, and of replays of these, that are done."""
        return [row[0] for row in self._rows(text(_EARLIER), {"segment_id": segment_id})]

    def unfinished(self) -> Sequence[Replay]:
        """Replays that were begun and not ended, because their process died."""
        query = text("select replay_id, segment_id, kind, state, items from ops.replays where state <> 'done' order by begun_at, replay_id")
        return [Replay(*row) for row in self._rows(query, {})]

    def begin(self, segment_id: str, kind: Kind, items: Sequence[Any]) -> Replay:
        """Note what is about to be written, before it is."""
        values = {"segment_id": segment_id, "kind": kind, "items": json.dumps(items), "begun_at": self._clock.now()}
        with self._state.begin() as connection:
            query = text("select count(*) from ops.replays where segment_id = :segment_id and kind = :kind")
            number: int = connection.execute(query, values).scalar_one()
            replay = Replay(replay_id(segment_id, kind, number), segment_id, kind, "begun", items)
            connection.execute(
                text(
                    "insert into ops.replays (replay_id, segment_id, kind, state, items, begun_at) "
                    "values (:replay_id, :segment_id, :kind, 'begun', cast(:items as jsonb), :begun_at)"
                ),
                {**values, "replay_id": replay.replay_id},
            )
        return replay

    def settle(self, replay: Replay, outcome: Outcome) -> None:
        """In one transaction: what was taken in is `replayed`, what was not has its reason of today, and the counts say so."""
        still = {(each.line, each.item): each for each in outcome.still}
        select = text(
            "select line, item, tenant_id, source, state from ops.quarantine "
            "where segment_id = :segment_id and state <> 'replayed' and line = any(:lines)"
        )
        with self._state.begin() as connection:
            rows: Sequence[Any] = connection.execute(select, {"segment_id": replay.segment_id, "lines": list(outcome.lines)}).all()
            before = {(row[0], row[1]): (row[2], row[3]) for row in rows}
            for line, item, *_, state in rows:
                if state == "expired" and still.pop((line, item), None) is not None:  # its tenant keeps bodies for fewer days
                    del before[line, item]
            gone = [place for place in before if place not in still]
            self._count(connection, replay, before, still)
            if gone:
                connection.execute(
                    text(
                        "update ops.quarantine set state = 'replayed', body_enc = null, replay_id = :replay_id, changed_at = :now "
                        "where segment_id = :segment_id and line = :line and item = :item"
                    ),
                    [{**self._of(replay), "line": line, "item": item} for line, item in gone],
                )
            if still:
                connection.execute(text(_KEEP), [{**self._of(replay), **_kept(replay.segment_id, each)} for each in still.values()])
            self._end(connection, replay, outcome.taken, len(outcome.lines), is_kept=bool(gone or outcome.taken))

    def written(self, replay: Replay, taken: Sequence[Count], left: Sequence[Count]) -> None:
        """Of an unmodelled replay: its rows are in the lake, so the old ones may go. `left`: how many of them, as `accepted`."""
        counts = {"taken": [list(each) for each in taken], "left": [list(each) for each in left]}
        with self._state.begin() as connection:
            connection.execute(
                text(
                    "update ops.replays set state = 'written', items = cast(:items as jsonb), counts = cast(:counts as jsonb) "
                    "where replay_id = :replay_id"
                ),
                {**self._of(replay), "items": json.dumps(replay.items), "counts": json.dumps(counts)},
            )

    def done(self, replay: Replay) -> None:
        """Of a written one: the old rows are gone; its counts hold from now on."""
        with self._state.begin() as connection:
            query = text("select counts from ops.replays where replay_id = :replay_id and state = 'written'")
            counts: dict[str, list[Any]] = connection.execute(query, self._of(replay)).scalar_one()
            for each in map(Count._make, counts["left"]):
                moved = Count(each.tenant_id, each.source, 0, -each.accepted, 0, each.accepted)
                connection.execute(text(_COUNT), {"segment_id": replay.segment_id, **moved._asdict()})
            taken = list(map(Count._make, counts["taken"]))
            self._end(connection, replay, taken, len(replay.items), is_kept=bool(counts["left"]))

    def expire(self, as_of: datetime) -> Mapping[tuple[str, str], int]:
        """Take the bodies from entries whose time is over; returns how many by (tenant, reason).

        An entry is kept for the days of its tenant's policy of that moment, half-open: at the last instant of them it is gone.
        """
        with self._state.begin() as connection:
            rows = connection.execute(text(_EXPIRE), {"as_of": as_of, "days": RETENTION.days, "now": self._clock.now()})
            found = dict(sorted(Counter((str(row[0]), str(row[1])) for row in rows).items()))
            for tenant_id in sorted({tenant_id for tenant_id, _ in found}):
                counts = {reason: number for (tenant, reason), number in found.items() if tenant == tenant_id}
                told = {"as_of": as_of.isoformat(), "entries": counts}
                self._audit.within(connection).append(tenant_id, machine_user(), "quarantine.expired", tenant_id, told)
        return found

    def _rows(self, query: TextClause, values: Mapping[str, Any]) -> Sequence[Any]:
        with self._state.begin() as connection:
            return connection.execute(query, values).all()

    def _of(self, replay: Replay) -> dict[str, Any]:
        return {"replay_id": replay.replay_id, "segment_id": replay.segment_id, "now": self._clock.now()}

    def _count(self, connection: Connection, replay: Replay, before: Mapping[Any, Any], still: Mapping[Any, Held]) -> None:
        """What leaves is replayed, what stays may have found another tenant, and a body may turn out to be of several items."""
        moves: Counter[tuple[str, str, str]] = Counter()
        for place, (tenant_id, source) in before.items():
            if place not in still:
                moves[tenant_id, source, "replayed"] += 1
            else:
                moves[tenant_id, source, "received"] -= 1
            moves[tenant_id, source, "rejected"] -= 1
        for each in still.values():
            moves[each.tenant_id, each.source, "received"] += 1
            moves[each.tenant_id, each.source, "rejected"] += 1
        for tenant_id, source in sorted({key[:2] for key, number in moves.items() if number}):
            parts = {name: moves[tenant_id, source, name] for name in ("received", "rejected", "replayed")}
            values = {"segment_id": replay.segment_id, "tenant_id": tenant_id, "source": source, "accepted": 0, **parts}
            connection.execute(text(_COUNT), values)

    def _end(self, connection: Connection, replay: Replay, taken: Sequence[Count], lines: int, *, is_kept: bool) -> None:
        """Note the replay's segment with what it took in; one that changed nothing is as if it had not been."""
        if not is_kept:
            connection.execute(text("delete from ops.replays where replay_id = :replay_id"), self._of(replay))
            return
        connection.execute(text("update ops.replays set state = 'done', done_at = :now where replay_id = :replay_id"), self._of(replay))
        connection.execute(
            text(
                "insert into ops.segments (segment_id, path, state, size_bytes, line_count, ingested_at, detail) "
                "values (:replay_id, 'replay', 'ingested', 0, :lines, :now, 'of ' || :segment_id)"
            ),
            {**self._of(replay), "lines": lines},
        )
        for each in taken:
            connection.execute(text(_COUNT), {"segment_id": replay.replay_id, **each._asdict()})
        by_tenant: dict[str, Counter[str]] = {}
        for each in taken:
            by_tenant.setdefault(each.tenant_id, Counter())[each.source] += each.accepted
        for tenant_id, counts in sorted(by_tenant.items()):
            told = {"segment_id": replay.segment_id, "kind": replay.kind, "accepted": dict(counts)}
            self._audit.within(connection).append(tenant_id, machine_user(), "quarantine.replayed", replay.replay_id, told)


_KEEP = """
    insert into ops.quarantine (quarantine_id, segment_id, line, item, tenant_id, source, account_id, reason, place, detail, received_at,
        body_enc, key_id, changed_at)
    values (:quarantine_id, :segment_id, :line, :item, :tenant_id, :source, :account_id, :reason, :place, :detail, :received_at,
        :body_enc, :key_id, :now)
    on conflict (quarantine_id) do update set
        tenant_id = excluded.tenant_id, source = excluded.source, account_id = excluded.account_id, reason = excluded.reason,
        place = excluded.place, detail = excluded.detail, received_at = excluded.received_at, body_enc = excluded.body_enc,
        key_id = excluded.key_id, state = 'held', replay_id = null,
        changed_at = case when ops.quarantine.reason = excluded.reason then ops.quarantine.changed_at else excluded.changed_at end
"""


def _kept(segment_id: str, held: Held) -> dict[str, Any]:
    return {"quarantine_id": quarantine_id(segment_id, held), **held._asdict()}


def _values(choice: Choice) -> dict[str, Any]:
    return {**choice._asdict(), "ids": list(choice.ids)}
