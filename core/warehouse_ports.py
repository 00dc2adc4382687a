"""What makes and holds the marts: the reference rows that they begin with, the warehouse, dbt, and the publication.

Here belong those ports and their values. Not here: where events come from and lie (`core.ports`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from core.identity_ports import Leads


class Reference(Protocol):
    """Dated reference data for the warehouse."""

    def export(self, as_of: datetime, business_range: tuple[date, date], leads: Leads) -> Mapping[str, int]:
        """Write every reference table, and say how many rows each has."""
        ...


REBUILD = "flexoraa/rebuild"
"""The tag of a run that makes every model anew."""

BRIEF = "flexoraa/brief"
"""The tag of a run that somebody waits for: of what it makes, only what is acted on is tested; the next run without it tests the rest."""


class Begun(NamedTuple):
    """A build of the warehouse that begins.

    `why` is empty where it continues the last one, and says why not where it makes everything anew. `touched` counts the keys, by scope,
    whose rows are made anew. `days` are the event dates, in UTC, of which files came since the last build: late events open earlier
    ones again. `is_brief`: the tests of what is not acted on may wait for the next build.
    """

    build_id: str
    as_of: datetime
    why: str
    touched: Mapping[str, int]
    days: Sequence[date]
    is_brief: bool = False
    is_steady: bool = False


class Warehouse(Protocol):
    """Where models are built and marts are read."""

    def begin(self, *, rebuild: bool = False, brief: bool = False, days: Collection[date] = ()) -> Begun:
        """Show it lake and reference, and decide how much the build that follows makes anew.

        All of it where `rebuild` asks for it; else what is touched, and what has an event on one of `days`. What `brief` builds touched is
        touched again by the next that is not, whose tests look at it.
        """
        ...

    def end(self, begun: Begun) -> None:
        """Say that every table is of that build now."""
        ...

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Types of the columns of every mart, in the words of dbt's contracts."""
        ...

    def follow(self) -> bool:
        """Show what the lake holds now; False while somebody else has the warehouse open, and may be reading what it held."""
        ...

    def lake_counts(self) -> Mapping[tuple[str, str, str], int]:
        """Lake rows by (segment, tenant, source)."""
        ...

    def row_counts(self) -> Mapping[str, int]:
        """Rows of every mart."""
        ...

    def rows(self, mart: str) -> list[dict[str, Any]]:
        """All rows of a mart, names to plain values."""
        ...

    def write(self, marts: Mapping[type[Struct], Sequence[Struct]]) -> None:
        """Put marts that Python makes beside those of dbt, each whole in place of the last; a type says its table and columns."""
        ...


class Dbt(Protocol):
    """The program that builds models."""

    def build(self, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Build and test what the arguments select; yields its structured events as they happen, and raises at the end on failure."""
        ...

    def document(self) -> Path:
        """Write the documentation of all models as one page; returns where it is."""
        ...


class Publisher(Protocol):
    """The marts that operations read, in Postgres."""

    def publish(self, marts: Collection[str], as_of: datetime) -> Mapping[str, int]:
        """Copy what differs from the warehouse in one transaction, and say how many rows each mart has."""
        ...
