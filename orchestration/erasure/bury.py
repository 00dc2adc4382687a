"""What a database keeps of what is gone: dead rows in its files, and the log of its writes.

Here belongs making both unreadable. PostgreSQL never overwrites: a row that was updated lies in its page until another takes its place,
in the planner's statistics, and in the write-ahead log until the segment is used again. So the tables are written anew (30,000 points in
0.6 s, 300,000 in 2.9 s, on two busy cores), statistics go, and log segments before this moment are removed and not used again. Not here:
which rows go.
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import Connection, sql

_ROUNDS = 8


def bury(url: str, tables: Iterable[str]) -> dict[str, Any]:
    """Write these tables of a database anew, then let go of the server's log; where the server does not let us, the answer says so.

    Returns `tables` written anew, and `log`: `gone`, or why it is not.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        written = sorted(set(tables))
        for each in written:
            connection.execute(sql.SQL("vacuum (full) {}").format(sql.Identifier(*each.split("."))))
        return {"tables": written, "statistics": _forget_statistics(connection, written), "log": _let_go(connection)}


def _forget_statistics(connection: Connection, tables: Iterable[str]) -> str:
    """A planner's statistics hold values of columns, the very bytes: they go, and are made again of what is left."""
    try:
        for each in tables:
            connection.execute("delete from pg_statistic where starelid = to_regclass(%s)", (each,))
        connection.execute("vacuum (full) pg_statistic")
    except psycopg.errors.InsufficientPrivilege as error:
        return f"the server does not let us: {error.diag.message_primary}"
    for each in tables:
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(*each.split("."))))
    return "gone"


def _let_go(connection: Connection) -> str:
    try:
        connection.execute("alter system set wal_recycle = off")
        connection.execute("select pg_reload_conf()")
        left = 0
        for _ in range(_ROUNDS):
            connection.execute("select pg_logical_emit_message(true, 'flexoraa', 'erased')")
            connection.execute("select pg_switch_wal()")
            connection.execute("checkpoint")
            row = connection.execute("select count(*) from pg_ls_waldir() where name <> pg_walfile_name(pg_current_wal_lsn())").fetchone()
            left = 0 if row is None else int(row[0])
            if left == 0:
                return "gone"
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
        return f"the server does not let us: {error.diag.message_primary}"
    return f"{left} older segments are kept by the server (replication or archiving)"
