"""Tables of the state without a person: actions, quarantine, published rows, whatever text Dagster and we wrote, and the vault itself.

Here belongs one function a store; each may be called again. Not here: what makes removed rows unreadable on disk (`bury`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from core.privacy import PrivacyError
from core.sealing import SealError, unseal
from orchestration.erasure.places import Place, note
from orchestration.erasure.subjects import Subject
from orchestration.erasure.words import Finder
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

_BATCH = 2_000
_SWEPT = ("dagster", "ops", "serving")
_LEFT = ("audit_log", "privacy_requests", "privacy_steps", "privacy_certificates", "erasures", "erased_places")
"""Tables of ours that name surrogates alone, and that nobody may change."""


def stop(state: State, subjects: Sequence[Subject]) -> int:
    """Nobody writes to them any more, from this moment and not from the next publication; returns actions that were waiting."""
    with state.psycopg() as connection:
        is_published = connection.execute("select to_regclass('serving.dim_leads') is not null").fetchone() == (True,)
        is_wanted = connection.execute("select to_regclass('serving.act_requests') is not null").fetchone() == (True,)
        leads = [(each.tenant_id, each.lead_id) for each in subjects]
        whose = [(*lead, each.point_ids) for lead, each in zip(leads, subjects, strict=True)]
        cursor = connection.cursor()
        if is_published:
            cursor.executemany("update serving.dim_leads set is_erased = true where tenant_id = %s and lead_id = %s", leads)
        if is_wanted:
            cursor.executemany("delete from serving.act_requests where tenant_id = %s and lead_id = %s and point_id is not null", leads)
        cursor.executemany(
            "update ops.outbox set state = 'cancelled', reason = 'the lead was erased' where tenant_id = %s "
            "and (lead_id = %s or point_id = any(%s)) and state in ('requested', 'held')",
            whose,
        )
        return cursor.rowcount


def clear_outbox(state: State, subjects: Iterable[Subject]) -> int:
    """Payloads of their actions, and what the other side answered; that there was an action stays."""
    whose = [(each.tenant_id, each.lead_id, each.point_ids) for each in subjects]
    with state.psycopg() as connection:
        cursor = connection.cursor()
        cursor.executemany(
            "update ops.outbox set details = '{}', provider_ref = null where tenant_id = %s and (lead_id = %s or point_id = any(%s)) "
            "and (details <> '{}' or provider_ref is not null)",
            whose,
        )
        cleared = cursor.rowcount
        cursor.executemany(
            "update ops.delivery_attempts as a set detail = null, request_sha256 = null, response_sha256 = null from ops.outbox as o "
            "where a.action_id = o.action_id and o.tenant_id = %s and (o.lead_id = %s or o.point_id = any(%s)) "
            "and (a.detail is not null or a.request_sha256 is not null or a.response_sha256 is not null)",
            whose,
        )
    return cleared


def clear_quarantine(state: State, vault: Vault, tenants: Iterable[str], finder: Finder, owner: tuple[str, str], now: datetime) -> int:
    """Bodies that speak of them, of their tenants or of nobody known; reason and count of the entry stay."""
    keys = {tenant: vault.tenant_key(tenant, "fragment") for tenant in (*tenants, "")}
    gone: list[str] = []
    with state.psycopg() as connection, connection.cursor(name="bodies", binary=True) as cursor:
        cursor.itersize = _BATCH
        cursor.execute(
            "select quarantine_id, segment_id, line, item, tenant_id, body_enc from ops.quarantine "
            "where state = 'held' and tenant_id = any(%s)",
            (list(keys),),
        )
        gone += finder.hits((row[0], _opened(keys[row[4]], row[5], f"{row[1]}:{row[2]}:{row[3]}")) for row in cursor)
    return expire(state, gone, owner, now)


def expire(state: State, entries: Sequence[str], owner: tuple[str, str], now: datetime) -> int:
    """Entries of the quarantine without their bodies; returns how many had one."""
    with state.psycopg() as connection:
        note(connection, owner, [Place("quarantine", each, "") for each in entries])
        return connection.execute(
            "update ops.quarantine set state = 'expired', body_enc = null, changed_at = %s "
            "where quarantine_id = any(%s) and state = 'held'",
            (now, list(entries)),
        ).rowcount


def _opened(key: bytes, sealed: bytes, place: str) -> bytes:
    try:
        return unseal(key, sealed, place.encode())
    except SealError:
        return b""


def sweep_texts(state: State, finder: Finder) -> list[str]:
    """Texts in Dagster's event storage and in tables of ours: no rule puts a person there, so what is found is cut out.

    Returns the tables that changed.
    """
    changed = set()
    with state.owner() as connection:
        texts = {name: columns for name in _tables(connection) if (columns := _texts(connection, *name))}
        for name, place in list(finder.hits(_rows(connection, texts))):
            _redact(connection, name, place, texts[name], finder)
            changed.add(".".join(name))
    return sorted(changed)


def swept(state: State) -> list[str]:
    """Tables through which it goes."""
    with state.owner() as connection:
        return [f"{schema}.{table}" for schema, table in _tables(connection)]


def _tables(connection: Connection) -> list[tuple[str, str]]:
    select = "select schemaname, tablename from pg_tables where schemaname = any(%s) and not tablename = any(%s) order by 1, 2"
    return connection.execute(select, (list(_SWEPT), list(_LEFT))).fetchall()


def _texts(connection: Connection, schema: str, table: str) -> list[tuple[str, str]]:
    """Columns that hold text, with their types."""
    kinds = connection.execute(
        "select attname, format_type(atttypid, null) from pg_attribute "
        "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
        (f'"{schema}"."{table}"',),
    ).fetchall()
    return [(each, kind) for each, kind in kinds if kind in {"text", "character varying", "json", "jsonb"}]


def _rows(
    connection: Connection, texts: Mapping[tuple[str, str], Sequence[tuple[str, str]]]
) -> Iterator[tuple[tuple[tuple[str, str], str], bytes]]:
    """Table and place of each row, with its texts."""
    for (schema, table), columns in texts.items():
        listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(each)) for each, _ in columns)
        name = sql.SQL("{}.{}").format(sql.Identifier(schema), sql.Identifier(table))
        with connection.cursor(name="swept") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(sql.SQL("select ctid::text, {} from {}").format(listed, name))
            for place, *cells in cursor:
                yield ((schema, table), place), "\x1f".join(cell or "" for cell in cells).encode()


def _redact(connection: Connection, name: tuple[str, str], place: str, columns: Sequence[tuple[str, str]], finder: Finder) -> None:
    table = sql.SQL("{}.{}").format(*map(sql.Identifier, name))
    listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(each)) for each, _ in columns)
    cells: Any = connection.execute(sql.SQL("select {} from {} where ctid = {}").format(listed, table, sql.Literal(place))).fetchone()
    after = [None if cell is None else finder.redacted(cell) for cell in cells or ()]
    sets = [
        sql.SQL("{} = {}::{}").format(sql.Identifier(column), sql.Literal(new), sql.SQL(kind))
        for (column, kind), old, new in zip(columns, cells or (), after, strict=False)
        if new is not None and new != old
    ]
    if sets:
        connection.execute(sql.SQL("update {} set {} where ctid = {}").format(table, sql.SQL(", ").join(sets), sql.Literal(place)))


def destroy_keys(state: State, subjects: Sequence[Subject], fences: Sequence[tuple[str, int]], now: datetime) -> int:
    """Value, look-up and key of every point, and the entry in the erasure log, in one transaction; returns how many points had a key.

    Raises:
        PrivacyError: another run has taken over.
    """
    with state.psycopg() as connection:
        select = (
            "select from ops.privacy_requests join unnest(%s::text[], %s::bigint[]) as mine (request_id, fence) using (request_id, fence) "
            "where state = 'running' for update"
        )
        if connection.execute(select, ([each for each, _ in fences], [each for _, each in fences])).rowcount != len(fences):
            raise PrivacyError("lost", "another run has taken over: this one does nothing more")
        gone = forget_points(connection, [(each.tenant_id, each.point_ids) for each in subjects])
        connection.cursor().executemany(
            "insert into ops.erasures (tenant_id, point_id, lead_id, request_id, erased_at) values (%s, %s, %s, %s, %s) "
            "on conflict do nothing",
            [(each.tenant_id, point_id, each.lead_id, each.request_id, now) for each in subjects for point_id in each.point_ids],
        )
    return gone


def forget_points(connection: Connection, points: Sequence[tuple[str, Sequence[str]]]) -> int:
    """In the vault, the ids alone stay; `points`: tenant and ids. Returns how many of them had a key."""
    cursor = connection.cursor()
    cursor.executemany(
        "update vault.points set lookup = null, value_enc = null, key_wrapped = null "
        "where tenant_id = %s and point_id = any(%s) and key_wrapped is not null",
        [(tenant_id, list(ids)) for tenant_id, ids in points],
    )
    return cursor.rowcount
