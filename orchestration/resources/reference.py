"""Reference rows for the warehouse: every table of `core.reference` as one Parquet file under FLEXORAA_HOME/reference.

Here belongs the export, and reading rows back from the state. Not here: how rows get there (`tenants`), what they mean (`core`).
"""

import io
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from core.business_time import Calendar, intervals
from core.columns import columns
from core.experiments import Configured
from core.identity_ports import Leads
from core.reference import REFERENCE_TYPES, BusinessInterval, Erasure, Experiment, ExperimentMetric, LeadAlias, LeadLink, LeadPoint, Run
from core.timeline import timeline
from orchestration.resources.arrow import table_of
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.verdicts import verdicts

_Row = TypeVar("_Row", bound=Struct)

_CONFIGURED = tuple(each for each in REFERENCE_TYPES if each not in {BusinessInterval, LeadPoint, LeadAlias, LeadLink, Erasure, Run})


class ParquetReference:
    """The port `core.warehouse_ports.Reference` over the state and a folder."""

    def __init__(self, settings: Settings, state: State, known_at: datetime | None = None) -> None:
        """Take the installation, its state, and the moment of which the build knows, if it is not to know all."""
        self._known_at = known_at
        self._folder = settings.reference
        self._state = state

    def export(self, as_of: datetime, business_range: tuple[date, date], leads: Leads) -> Mapping[str, int]:
        """Write every reference table, and say how many rows each has.

        Args:
            as_of: the moment of the build; the one row of `run`.
            business_range: UTC dates [first, last) for which calendars are laid out.
            leads: which lead holds which contact point, by which evidence.

        A file is written beside and moved into place, and only where its bytes change. All exist always, if need be with no row.
        """
        bodies = _bodies(self._state)
        rows: dict[type[Struct], Sequence[Struct]] = {each: _decoded(bodies, each) for each in _CONFIGURED}
        told = Configured(_decoded(bodies, Experiment), _decoded(bodies, ExperimentMetric))
        rows[Experiment], rows[ExperimentMetric], _ = timeline(told, verdicts(self._state, as_of))
        rows[BusinessInterval] = _business_intervals(bodies, business_range)
        rows |= {LeadPoint: leads.points, LeadAlias: leads.aliases, LeadLink: leads.links}
        rows[Erasure] = _erasures(self._state, as_of)
        rows[Run] = [Run(as_of=as_of, known_at=self._known_at)]
        self._folder.mkdir(parents=True, exist_ok=True)
        for struct, each in rows.items():
            _write(self._folder / f"{_table(struct)}.parquet", _arrow(struct, each))
        return {_table(struct): len(each) for struct, each in rows.items()}


def read_rows(state: State, struct: type[_Row]) -> list[_Row]:
    """The rows of one reference table as `tenant apply` left them, of all tenants; not for the tables that the export makes."""
    return _decoded(_bodies(state), struct)


def _bodies(state: State) -> Mapping[str, list[tuple[str, Any]]]:
    """(tenant, body) of every stored row by section."""
    found: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    with state.psycopg() as connection:
        select = "select section, tenant_id, body from ops.reference order by section, tenant_id, row_key, valid_from"
        for section, tenant_id, body in connection.execute(select):
            found[section].append((tenant_id, body))
    return found


def _erasures(state: State, as_of: datetime) -> list[Erasure]:
    """Each contact point of whoever asked by then, and whether that was denied by then."""
    select = (
        "select tenant_id, request_id, event_id, unnest(point_ids), requested_at, "
        "case when state = 'denied' and decided_at <= %s then decided_at end "
        "from ops.privacy_requests where kind = 'erasure' and requested_at <= %s"
    )
    with state.psycopg() as connection:
        rows = connection.execute(select, (as_of, as_of)).fetchall()
    names = ("tenant_id", "request_id", "event_id", "point_id", "asked_at", "denied_at")
    return [msgspec.convert(dict(zip(names, row, strict=True)), Erasure) for row in rows]


def _decoded(bodies: Mapping[str, list[tuple[str, Any]]], struct: type[_Row]) -> list[_Row]:
    return [msgspec.convert(body, struct) for _, body in bodies.get(_table(struct), ())]


def _business_intervals(bodies: Mapping[str, list[tuple[str, Any]]], business_range: tuple[date, date]) -> list[BusinessInterval]:
    versions: dict[tuple[str, str], list[Calendar]] = defaultdict(list)
    for tenant_id, body in bodies.get("calendars", ()):
        calendar = msgspec.convert(body, Calendar)
        versions[tenant_id, calendar.calendar_id].append(calendar)
    return [row for (tenant_id, _), each in sorted(versions.items()) for row in intervals(tenant_id, each, *business_range)]


def _table(struct: type[Struct]) -> str:
    return str(struct.table)  # type: ignore[attr-defined]  # a ClassVar of every reference type, Run included


def _arrow(struct: type[Struct], rows: Sequence[Struct]) -> pa.Table:
    table = table_of(struct, {column.name: [getattr(row, column.field) for row in rows] for column in columns(struct)})
    return table.sort_by([(name, "ascending") for name in table.column_names]) if table.num_rows else table


def _write(path: Path, table: pa.Table) -> None:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    content = buffer.getvalue()
    if path.exists() and path.read_bytes() == content:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
