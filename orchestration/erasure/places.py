"""Where something was taken out, noted before it is: so that a restore of an older backup takes the same out again.

Here belongs noting. Not here: the log outside the database (`orchestration.backup.erasures`), taking out.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from psycopg import Connection


class Place(NamedTuple):
    """One place: a line of a raw segment (`thing`: the SHA-256 that it had when it came), an entry of the quarantine, a table's event."""

    store: Literal["inbox", "quarantine", "lake"]
    thing: str
    place: str
    name: str = ""


def note(connection: Connection, owner: tuple[str, str], places: Iterable[Place]) -> None:
    """Each once; `owner`: tenant and request."""
    connection.cursor().executemany(
        "insert into ops.erased_places (store, thing, place, name, tenant_id, request_id) values (%s, %s, %s, %s, %s, %s) "
        "on conflict do nothing",
        [(*each, *owner) for each in places],
    )
