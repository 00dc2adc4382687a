"""The same ciphertext in a warehouse of its own database: a copy of the lake, made anew only by the next run, so it is emptied here.

Here belongs that copy. A warehouse in one file has none: it reads the lake's files. Not here: the files (`lake`), what makes the rows
unreadable on disk (`bury`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import psycopg
from psycopg import Connection, sql

from core.columns import columns
from core.events import EVENT_TYPES, Event
from orchestration.erasure.lake import has_contact, opened, secret_columns
from orchestration.erasure.words import Finder

_BATCH = 2_000
_Row = tuple[str, str]
"""A table and the place of a row in it."""


def empty(url: str, keys: Mapping[str, bytes], finder: Finder, handed_on: Mapping[tuple[str, str], datetime]) -> list[str]:
    """Empty ciphertext that no person's own key covers, as `lake.wipe_unnamed` and `lake.wipe_handed_on` do; returns changed tables.

    Args:
        url: libpq address of the warehouse.
        keys: tenants' own, by tenant.
        finder: for whom.
        handed_on: by tenant and point, until when it was theirs.
    """
    changed = set()
    with psycopg.connect(url) as connection:
        types = {f"lake.{each.table}": each for each in tables(connection)}
        for name, event_type in types.items():
            if _empty_handed_on(connection, name, event_type, handed_on):
                changed.add(name)
        found: dict[str, list[str]] = defaultdict(list)
        for name, place in list(finder.hits(_unnamed(connection, types, keys))):
            found[name].append(place)
        for name, places in found.items():
            sets = _nothing(types[name])
            connection.execute(sql.SQL("update {} set {} where ctid = any(%s::tid[])").format(_named(name), sets), (places,))
            changed.add(name)
    return sorted(changed)


def tables(connection: Connection) -> list[type[Event]]:
    """Events whose copies are here and may hold ciphertext of somebody."""
    there = {row[0] for row in connection.execute("select tablename from pg_tables where schemaname = 'lake'")}
    return [each for each in EVENT_TYPES if each.table in there and has_contact(each) and secret_columns(each)]


def copies(url: str) -> list[str]:
    """The names of those tables, with their schema."""
    with psycopg.connect(url) as connection:
        return [f"lake.{each.table}" for each in tables(connection)]


def _unnamed(connection: Connection, types: Mapping[str, type[Event]], keys: Mapping[str, bytes]) -> Iterator[tuple[_Row, bytes]]:
    for name, event_type in types.items():
        secret = secret_columns(event_type)
        with connection.cursor(name="unnamed", binary=True) as cursor:
            cursor.itersize = _BATCH
            cursor.execute(
                sql.SQL("select ctid::text, tenant_id, event_id, {} from {} where contact_point_id is null and tenant_id = any(%s)").format(
                    sql.SQL(", ").join(map(sql.Identifier, secret)), _named(name)
                ),
                (list(keys),),
            )
            for place, tenant_id, event_id, *values in cursor:
                texts = [opened(keys[tenant_id], value, f"{event_id}:{each}") for each, value in zip(secret, values, strict=True) if value]
                yield (name, place), b"\n".join(texts)


def _empty_handed_on(connection: Connection, name: str, event_type: type[Event], handed_on: Mapping[tuple[str, str], datetime]) -> int:
    is_there = sql.SQL(" or ").join(sql.SQL("length({}) > 0").format(sql.Identifier(each)) for each in secret_columns(event_type))
    update = sql.SQL("update {} set {} where tenant_id = %s and contact_point_id = %s and occurred_at < %s and ({})")
    statement = update.format(_named(name), _nothing(event_type), is_there)
    return sum(connection.execute(statement, (*whose, until)).rowcount for whose, until in handed_on.items())


def _nothing(event_type: type[Event]) -> sql.Composable:
    kept: Sequence[tuple[str, str]] = [
        (each.name, "null" if each.nullable else "''") for each in columns(event_type) if each.role in {"personal", "sealed"}
    ]
    return sql.SQL(", ").join(sql.SQL("{} = " + empty_).format(sql.Identifier(name)) for name, empty_ in kept)


def _named(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
