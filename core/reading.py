"""Reading for reports: many questions at one moment, none of which can change anything.

Here belong the port and what an answer is. Not here: the questions (`assets.pages`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Read(NamedTuple):
    """The rows that a question came to, names to plain values; or, where a table that it asks is not there (yet), why there are none."""

    rows: Sequence[Mapping[str, Any]] = ()
    missing: str = ""


class Readings(Protocol):
    """Where reports read."""

    def marts(self, questions: Mapping[str, str]) -> Mapping[str, Read]:
        """Answers by name, in DuckDB's SQL on any engine, over `marts`, `staging`, `reference`; all from one moment."""
        ...

    def state(self, questions: Mapping[str, str]) -> Mapping[str, Read]:
        """Answers by name, in Postgres' SQL over the platform's own tables, in one read-only transaction; never of the vault."""
        ...

    def dagster_url(self) -> str:
        """Where the Dagster UI is, without a slash at its end."""
        ...

    def reports_url(self) -> str:
        """Where the pages are served, without a slash at its end."""
        ...
