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

from orchestration.verifier.search import Piece

_NONCE, _TAG = 12, 16
_FIRST = (2).to_bytes(4, "big")  # the counter of the first block of text; 1 is the tag's
_BATCH = 1_000


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


def of_lake(lake: Path, keys: Mapping[str, bytes]) -> Iterator[Piece]:
    """Every ciphertext of an event that names nobody, by the key of its tenant."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted(lake.rglob("*.parquet")):
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
                if value and len(value) > _NONCE + _TAG and tenant_id in keys
            ]
            if texts:
                yield Piece(f"lake/{path.relative_to(lake)} {name} (opened)", b"\n".join(texts))
