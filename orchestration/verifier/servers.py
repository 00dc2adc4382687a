"""A database server's tables as bytes, as it hands them out: what its files hold packed or out of line is read here in plain.

Here belongs reading every table of every schema that is not the server's own, in COPY's binary form. Its files, where they lie in the home,
are read with the other files, heap and log alike. Not here: the search.
"""

from collections.abc import Iterator

import psycopg
from psycopg import sql

from orchestration.verifier.search import Piece

_TABLES = (
    "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%' "
    "and n.nspname not like 'pg_temp%' order by 1, 2"
)
_PART = 4 << 20


class Tables:
    """The tables of some databases."""

    def __init__(self, urls: dict[str, str], overlap: int) -> None:
        """`urls`: libpq addresses by the name under which a place is told."""
        self._urls = urls
        self._overlap = overlap
        self.counts: dict[str, tuple[int, int]] = {}

    def settle(self) -> str:
        """Let the server write what it holds in memory; empty, or why it does not."""
        for url in self._urls.values():
            try:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("checkpoint")
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
                return str(error.diag.message_primary)
        return ""

    def pieces(self) -> Iterator[Piece]:
        """All of them."""
        for name, url in self._urls.items():
            with psycopg.connect(url) as connection:
                for schema, table in connection.execute(_TABLES).fetchall():
                    yield from self._of_table(connection, name, schema, table)

    def _of_table(self, connection: psycopg.Connection, name: str, schema: str, table: str) -> Iterator[Piece]:
        place, held, size, tail = f"{name} {schema}.{table}", bytearray(), 0, b""
        statement = sql.SQL("copy {}.{} to stdout (format binary)").format(sql.Identifier(schema), sql.Identifier(table))
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for data in copy:
                held += data
                if len(held) >= _PART:
                    yield Piece(place, tail + held, len(tail))
                    size, tail, held = size + len(held), bytes(held[-self._overlap :]), bytearray()
        yield Piece(place, tail + held, len(tail))
        tables, total = self.counts.get(name, (0, 0))
        self.counts[name] = (tables + 1, total + size + len(held))
