"""Where reading goes on: `ops.pull_cursors`, one row an account, resource and span.

Here belong the row and the lock that keeps two readers of one account apart. Not here: what a cursor means (the readers).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from sqlalchemy import text

from core.ports import Clock
from orchestration.resources.pull.accounts import Account
from orchestration.resources.state import State

T = TypeVar("T")

_KEY = "tenant_id = :tenant_id and source = :source and account_id = :account_id and resource = :resource and span = :span"
_READ = text(f"select cursor from ops.pull_cursors where {_KEY} and cursor is not null")
_INSERT = "insert into ops.pull_cursors (tenant_id, source, account_id, resource, span"
_VALUES = "values (:tenant_id, :source, :account_id, :resource, :span"
_ON = "on conflict (tenant_id, source, account_id, resource, span) do update set"
_WRITE = text(
    f"{_INSERT}, cursor, moved_at) {_VALUES}, cast(:cursor as jsonb), :now) {_ON} cursor = excluded.cursor, moved_at = excluded.moved_at"
)
_TRY = text(f"{_INSERT}, tried_at) {_VALUES}, :now) {_ON} tried_at = excluded.tried_at")
_DROP = text(f"delete from ops.pull_cursors where {_KEY}")


class Cursor:
    """One row; `read` and `write` speak of its JSON as a type of the caller's."""

    def __init__(self, state: State, clock: Clock, account: Account, resource: str, span: str = "") -> None:
        """Nothing is read or made yet."""
        self._state, self._clock = state, clock
        self._key = {
            "tenant_id": account.tenant_id,
            "source": account.source,
            "account_id": account.account_id.lower() if account.source == "gmail" else account.account_id,
            "resource": resource,
            "span": span,
        }

    def read(self, of: type[T]) -> T | None:
        """Where to go on; None at the beginning."""
        with self._state.begin() as connection:
            found = connection.execute(_READ, self._key).scalar()
        return None if found is None else msgspec.convert(found, of)

    def write(self, cursor: object) -> None:
        """Go on from here next time; committed on return."""
        with self._state.begin() as connection:
            given = {"cursor": msgspec.json.encode(cursor).decode(), "now": self._clock.now()}
            connection.execute(_WRITE, self._key | given)

    def try_(self) -> None:
        """Note that a look begins, however it ends."""
        with self._state.begin() as connection:
            connection.execute(_TRY, self._key | {"now": self._clock.now()})

    def drop(self) -> None:
        """Begin anew next time."""
        with self._state.begin() as connection:
            connection.execute(_DROP, self._key)


@contextmanager
def alone(state: State, account: Account) -> Iterator[bool]:
    """Whether nobody else reads this account; if so, nobody does until the block ends or the process dies."""
    with state.psycopg() as connection:
        name = f"pull {account.tenant_id} {account.source} {account.account_id}"
        row = connection.execute("select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (name,)).fetchone()
        yield bool(row and row[0])
