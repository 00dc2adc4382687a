"""The master key rotated: every key of the vault unwrapped under the old one and wrapped under the new, the lake untouched.

Here belongs the work on the vault. Not here: where the keys come from (`master_key`), the command (`orchestration.key_command`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from psycopg import sql

from core.ports import Progress
from orchestration.resources.state import State
from orchestration.resources.vault import VaultError, fingerprint

_BATCH = 5_000
_TABLES = (("points", "point_id", "key_wrapped"), ("keys", "key_id", "wrapped"))


def rewrap(state: State, old: bytes, new: bytes, progress: Progress, watch: Callable[[str], None] = lambda step: None) -> dict[str, int]:
    """Wrap every key under `new`; again, it goes on where it was killed. Returns how many keys there are, by table.

    From the first step on, whoever still has the old key can wrap nothing more under it.

    Raises:
        VaultError: the vault belongs to neither key, or holds a key that neither opens; nothing is lost then.
    """
    with state.psycopg() as connection:
        row = connection.execute("select fingerprint from vault.master_key for update", binary=True).fetchone()
        if row is not None and row[0] not in {fingerprint(old), fingerprint(new)}:
            raise VaultError("the vault is wrapped under a third master key: neither the old nor the new one is its")
        connection.execute(
            "insert into vault.master_key (fingerprint) values (%s) on conflict (is_only) do update set fingerprint = excluded.fingerprint",
            (fingerprint(new),),
        )
    watch("fenced")
    found = {}
    for table, key, column in _TABLES:
        batches = progress.over(table, _rows(state, table, key, column))
        found[table] = sum(_batch(state, (table, key, column), rows, old, new, watch) for rows in batches)
    watch("wrapped")
    for table, key, column in _TABLES:
        for rows in _rows(state, table, key, column):
            for name, wrapped in rows:
                if _opened(new, wrapped) is None:
                    raise VaultError(f"the key {name} of vault.{table} is still wrapped under the old one: run flexoraa key rotate again")
    watch("verified")
    return found


def _rows(state: State, table: str, key: str, column: str) -> Iterator[list[tuple[Any, ...]]]:
    names = {"table": sql.Identifier(table), "key": sql.Identifier(key), "column": sql.Identifier(column)}
    select = "select {key}, {column} from vault.{table} where {key} > %s and {column} is not null order by {key} limit %s"
    query = sql.SQL(select).format(**names)
    last = ""
    while True:
        with state.psycopg() as connection:
            rows = connection.execute(query, (last, _BATCH), binary=True).fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _batch(
    state: State, place: tuple[str, str, str], rows: list[tuple[Any, ...]], old: bytes, new: bytes, watch: Callable[[str], None]
) -> int:
    table, key, column = place
    changed = []
    for name, wrapped in rows:
        if _opened(new, wrapped) is not None:
            continue
        opened = _opened(old, wrapped)
        if opened is None:
            raise VaultError(f"the key {name} of vault.{table} opens under neither master key: restore the vault from a backup")
        changed.append((name, wrapped, aes_key_wrap(new, opened)))
    # as it was read: a point that was erased meanwhile stays without a key
    update = sql.SQL(
        "update vault.{table} as t set {column} = w.fresh from unnest(%s::text[], %s::bytea[], %s::bytea[]) as w (name, was, fresh) "
        "where t.{key} = w.name and t.{column} = w.was"
    )
    named = update.format(table=sql.Identifier(table), key=sql.Identifier(key), column=sql.Identifier(column))
    if changed:
        with state.psycopg() as connection:
            connection.execute(named, tuple(list(each) for each in zip(*changed, strict=True)))
            watch(f"batch of {table}")
    return len(rows)


def _opened(master_key: bytes, wrapped: bytes) -> bytes | None:
    try:
        return aes_key_unwrap(master_key, wrapped)
    except InvalidUnwrap:
        return None
