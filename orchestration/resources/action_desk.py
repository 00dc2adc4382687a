"""Actions as people see them, and what people decide on them: retries, cancellations, settlements, pauses and dry runs.

Here belong the queries and the state changes that a person may ask for. Not here: who may ask (`orchestration.actions_command`), what
workers do (`outbox`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg import sql
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from core.sealing import SealError, seal, unseal
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

Mode = Literal["paused", "dry_run"]

_SHOWN = (
    "action_id", "tenant_id", "rule", "kind", "channel", "lead_id", "subject", "state", "reason", "due_at", "expires_at", "attempts",
    "next_try_at", "updated_at",
)  # fmt: skip
_FILTERS = ("tenant_id", "rule", "kind", "state")
_STATES = ("requested", "claimed", "sent", "rejected", "unknown", "held", "expired", "cancelled")


class Change(NamedTuple):
    """What a verdict does: from which states, to which; a reason to show, where the state needs one."""

    before: tuple[str, ...]
    after: str
    reason: str | None


CHANGES: Mapping[str, Change] = {
    "retried": Change(("requested", "rejected", "cancelled", "held"), "requested", None),
    "cancelled": Change(("requested", "held"), "cancelled", "cancelled by a person"),
    "resolved_sent": Change(("unknown",), "sent", "settled by a person: it arrived"),
    "resolved_not_sent": Change(("unknown",), "rejected", "settled by a person: it did not arrive"),
}


class Who(NamedTuple):
    """Who decides, when, and why."""

    person_id: str
    at: datetime
    note: str


class ActionDesk:
    """The outbox for people."""

    def __init__(self, state: State, vault: Vault) -> None:
        """Take the state, and the vault under whose keys people's words are sealed."""
        self._state = state
        self._vault = vault
        self._audit = PostgresAudit(state, vault)

    def list(self, limit: int, since: datetime | None = None, **equal: str | None) -> Sequence[dict[str, Any]]:
        """Actions with these values, the latest first; `since` bounds their last change."""
        wanted = {name: value for name, value in equal.items() if value is not None}
        clauses = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in _FILTERS if name in wanted]
        if since is not None:
            clauses.append(sql.Composed([sql.SQL("updated_at >= %(since)s")]))
        where = sql.SQL(" where ") + sql.SQL(" and ").join(clauses) if clauses else sql.SQL("")
        columns = sql.SQL(", ").join(map(sql.Identifier, _SHOWN))
        query = sql.SQL("select {} from ops.outbox{} order by updated_at desc, action_id limit %(limit)s").format(columns, where)
        return self._rows(query, {**wanted, "since": since, "limit": limit})

    def meant(self, token: str) -> Sequence[dict[str, Any]]:
        """The actions whose id begins so, at most five."""
        query = sql.SQL("select * from ops.outbox where starts_with(action_id, %(token)s) order by action_id limit 5")
        return self._rows(query, {"token": token})

    def attempts(self, action_id: str) -> Sequence[dict[str, Any]]:
        """Every try, with hashes of what was sent and answered."""
        query = sql.SQL("select * from ops.delivery_attempts where action_id = %(action_id)s order by attempt")
        return self._rows(query, {"action_id": action_id})

    def decisions(self, action_id: str) -> Sequence[dict[str, Any]]:
        """What people decided on it, with their words."""
        query = sql.SQL("select * from ops.action_decisions where action_id = %(action_id)s order by number")
        rows = self._rows(query, {"action_id": action_id})
        return [{**row, "note": self._opened(row["tenant_id"], row.pop("note_enc"), action_id)} for row in rows]

    def decide(self, action_id: str, verdict: str, who: Who) -> str | None:
        """Change its state and record who did; returns the state before, or None where that has changed to one that it cannot be done in.

        Whatever a worker still holds is fenced off: it can record nothing any more.
        """
        change = CHANGES[verdict]
        move = (
            "update ops.outbox as o set state = %(after)s, reason = %(reason)s, updated_at = %(at)s, next_try_at = null, release = null, "
            "fence = o.fence + 1, lease_owner = null, lease_until = null "
            "from (select action_id, state, tenant_id from ops.outbox where action_id = %(id)s and state = any(%(before)s) for update) "
            "as old where o.action_id = old.action_id returning old.state, old.tenant_id"
        )
        note = (
            "insert into ops.action_decisions (action_id, tenant_id, verdict, state_before, decided_at, decided_by, note_enc) "
            "values (%s, %s, %s, %s, %s, %s, %s)"
        )
        values = {"after": change.after, "reason": change.reason, "at": who.at, "id": action_id, "before": list(change.before)}
        with self._state.psycopg() as connection:
            row = connection.execute(move, values).fetchone()
            if row is None:
                return None
            before, tenant_id = row
            sealed = self._sealed(tenant_id, who.note, action_id)
            connection.execute(note, (action_id, tenant_id, verdict, before, who.at, who.person_id, sealed))
            told = {"state_before": before, "state": change.after, "decided_at": who.at.isoformat()}
            self._audit.within(connection).append(tenant_id, who.person_id, f"action.{verdict}", action_id, told)
        return str(before)

    def pauses(self, tenant_id: str | None = None) -> Sequence[dict[str, Any]]:
        """Those that stand, oldest first, with how many actions each holds."""
        query = sql.SQL(
            "select p.number, p.tenant_id, p.kind, p.mode, p.begun_at, p.begun_by, p.note_enc, "
            "(select count(*) from ops.outbox where held_by_pause = p.number) as held from ops.action_pauses as p "
            "where p.ended_at is null and (%(tenant)s::text is null or p.tenant_id = %(tenant)s) order by p.number"
        )
        rows = self._rows(query, {"tenant": tenant_id})
        return [{**row, "note": self._opened(row["tenant_id"], row.pop("note_enc"), _place(row["tenant_id"], row["kind"]))} for row in rows]

    def pause(self, tenant_id: str, kind: str, mode: Mode, who: Who) -> bool:
        """Begin a pause or a dry run of a kind ('' is every kind); False where one of them stands already."""
        begin = "insert into ops.action_pauses (tenant_id, kind, mode, begun_at, begun_by, note_enc) values (%s, %s, %s, %s, %s, %s)"
        # Writing what waits again makes the trigger hold it. The lock lets those who are adding or claiming finish first, and whoever comes
        # after it sees the pause: so nothing slips in between.
        touch = "update ops.outbox set state = state where tenant_id = %s and state = 'requested' and %s in ('', kind)"
        try:
            with self._state.psycopg() as connection:
                connection.execute("lock table ops.outbox in share row exclusive mode")
                sealed = self._sealed(tenant_id, who.note, _place(tenant_id, kind))
                connection.execute(begin, (tenant_id, kind, mode, who.at, who.person_id, sealed))
                connection.execute(touch, (tenant_id, kind))
                told = {"mode": mode, "begun_at": who.at.isoformat()}
                self._audit.within(connection).append(tenant_id, who.person_id, f"actions.{mode}", kind or "every_kind", told)
        except UniqueViolation:
            return False
        return True

    def resume(self, tenant_id: str, kind: str, who: Who) -> int | None:
        """End what stands on a kind; returns how many actions it held, or None where nothing stands."""
        end = (
            "update ops.action_pauses set ended_at = greatest(begun_at, %s), ended_by = %s, end_note_enc = %s "
            "where tenant_id = %s and kind = %s and ended_at is null returning number"
        )
        free = "update ops.outbox set state = 'requested', reason = null, release = null, updated_at = %s where held_by_pause = %s"
        with self._state.psycopg() as connection:
            sealed = self._sealed(tenant_id, who.note, _place(tenant_id, kind))
            row = connection.execute(end, (who.at, who.person_id, sealed, tenant_id, kind)).fetchone()
            if row is None:
                return None
            freed = connection.execute(free, (who.at, row[0])).rowcount
            told = {"freed": freed, "ended_at": who.at.isoformat()}
            self._audit.within(connection).append(tenant_id, who.person_id, "actions.resumed", kind or "every_kind", told)
            return freed

    def is_dry(self, tenant_id: str, kind: str) -> bool:
        """Whether a dry run of this kind stands."""
        query = (
            "select exists (select from ops.action_pauses "
            "where tenant_id = %s and kind in ('', %s) and mode = 'dry_run' and ended_at is null)"
        )
        with self._state.psycopg() as connection:
            row = connection.execute(query, (tenant_id, kind)).fetchone()
        return bool(row and row[0])

    def counts(self) -> Mapping[str, int]:
        """How many actions there are in each state."""
        with self._state.psycopg() as connection:
            found = dict(connection.execute("select state, count(*) from ops.outbox group by 1").fetchall())
        return {state: found.get(state, 0) for state in _STATES}

    def _rows(self, query: sql.SQL | sql.Composed, values: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        with self._state.psycopg() as connection, connection.cursor(row_factory=dict_row) as cursor:
            found: list[dict[str, Any]] = cursor.execute(query, values).fetchall()
            return found

    def _sealed(self, tenant_id: str, note: str, about: str) -> bytes:
        return seal(self._vault.tenant_key(tenant_id, "actions"), note.encode(), about.encode())

    def _opened(self, tenant_id: str, sealed: bytes | None, about: str) -> str | None:
        if sealed is None:
            return None
        try:
            return unseal(self._vault.tenant_key(tenant_id, "actions"), sealed, about.encode()).decode()
        except SealError:
            return "(cannot be opened)"


def _place(tenant_id: str, kind: str) -> str:
    return f"{tenant_id}|{kind}"
