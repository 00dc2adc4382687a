"""Ciphertext under a tenant's own key, opened: it outlives every person's key, so it must hold no erased person.

Here belongs reading it, with AES in counter mode: of AES-GCM that is all that a reader needs who has no associated data and no wish to know
whether it is whole. What was sealed under a person's key is not opened: that key is gone, and the database is asked so (`claims`). Not
here: the search.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from psycopg import sql

from orchestration.verifier.search import Piece

_NONCE, _TAG = 12, 16
OVERHEAD = _NONCE + _TAG
"""Bytes that sealing adds."""
_FIRST = (2).to_bytes(4, "big")  # the counter of the first block of text; 1 is the tag's
_BATCH = 1_000
COPIES = (
    "select n.nspname, c.relname, array_agg(a.attname::text) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
    "join pg_attribute as a on a.attrelid = c.oid where c.relkind in ('r', 'm') and not a.attisdropped "
    "and a.attname like '%\\_enc' and (select count(*) from pg_attribute as o where o.attrelid = c.oid "
    "and o.attname in ('tenant_id', 'contact_point_id', 'occurred_at')) = 3 "
    "group by 1, 2 order by 1, 2"
)
"""Tables of events with ciphertext, and its columns."""


def opened(key: bytes, sealed: bytes) -> bytes:
    """The text: nonce of 12 bytes, ciphertext, tag of 16.

    >>> from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    >>> opened(bytes(32), bytes(12) + AESGCM(bytes(32)).encrypt(bytes(12), b"text", b"whatever"))
    b'text'
    """
    reader = Cipher(AES(key), CTR(sealed[:_NONCE] + _FIRST)).decryptor()
    return reader.update(sealed[_NONCE:-_TAG])


def of_quarantine(url: str, keys: Mapping[str, bytes]) -> Iterator[Piece]:
    """Every body that is held, by the key of its tenant."""
    with psycopg.connect(url) as connection, connection.cursor(name="held", binary=True) as cursor:
        cursor.itersize = _BATCH
        cursor.execute("select quarantine_id, tenant_id, body_enc from ops.quarantine where body_enc is not null")
        for entry, tenant_id, body in cursor:
            if tenant_id in keys:
                yield Piece(f"state ops.quarantine {entry} (opened)", opened(keys[tenant_id], body))


def of_warehouse(url: str, keys: Mapping[str, bytes]) -> Iterator[Piece]:
    """The same in a warehouse with a database of its own, whatever its tables are called."""
    with psycopg.connect(url) as connection:
        for schema, table, names in connection.execute(COPIES).fetchall():
            with connection.cursor(name="copy", binary=True) as cursor:
                cursor.itersize = _BATCH
                columns = sql.SQL(", ").join(map(sql.Identifier, names))
                select = sql.SQL("select tenant_id, {} from {}.{} where contact_point_id is null")
                cursor.execute(select.format(columns, sql.Identifier(schema), sql.Identifier(table)))
                for tenant_id, *values in cursor:
                    texts = [opened(keys[tenant_id], each) for each in values if each and len(each) > OVERHEAD and tenant_id in keys]
                    if texts:
                        yield Piece(f"warehouse {schema}.{table} (opened)", b"\n".join(texts))


def of_lake(home: Path, keys: Mapping[str, bytes]) -> Iterator[Piece]:
    """Every ciphertext of an event that names nobody, by the key of its tenant, in whatever file of columns it lies."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted(home.rglob("*.parquet")):
        schema = pq.read_schema(path)
        secret = [name for name in schema.names if name.endswith("_enc")]
        if not secret or "contact_point_id" not in schema.names or "event_id" not in schema.names:
            continue
        table = pq.read_table(path, columns=["tenant_id", "contact_point_id", *secret], partitioning=None)
        table = table.filter(pc.is_null(table["contact_point_id"]))
        tenants = table["tenant_id"].to_pylist()
        for name in secret:
            texts = [
                opened(keys[tenant_id], value)
                for tenant_id, value in zip(tenants, table[name].to_pylist(), strict=True)
                if value and len(value) > OVERHEAD and tenant_id in keys
            ]
            if texts:
                yield Piece(f"{path.relative_to(home)} {name} (opened)", b"\n".join(texts))
