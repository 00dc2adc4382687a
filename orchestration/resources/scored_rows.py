"""What models said, read from the warehouse: predictions of `fct_predictions` with the features of `ftr_leads` as they were then.

Here belongs that one read, in batches, so that memory does not grow with the rows. Each lead counts once a week, by its last prediction in
it: rows of one lead are alike, and would count as more evidence than they are. Not here: what is concluded (`assets.model_drift`).
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from core.drift_ports import Batch, Served, Week
from orchestration.resources.feature_columns import coded
from orchestration.resources.warehouse import EngineWarehouse, Warehouse, WarehouseError

if TYPE_CHECKING:
    import numpy as np

_TABLES = {"fct_predictions", "ftr_leads"}
_BATCH = 65_536
_KEYS = {"tenant_id", "lead_id", "trigger_event_id", "featured_at"}

# Of the predictions of one version up to a moment, the last of each lead in the week.
_WEEK = """
with own as (
    select tenant_id, lead_id, featured_at, probability
    from marts.fct_predictions
    where tenant_id = $tenant and model_name = $model and model_version = $version
        and predicted_at >= $since and predicted_at < $until and predicted_at <= $as_of
    qualify row_number() over (partition by tenant_id, lead_id order by predicted_at desc, probability) = 1
)
"""
_ROWS = """
select own.probability as prediction{features}
from own
left join marts.ftr_leads as features
    on own.tenant_id = features.tenant_id and own.lead_id = features.lead_id and own.featured_at = features.featured_at
"""
_OUTCOMES = """
select probability, cast(outcome as double) as outcome
from marts.fct_predictions
where tenant_id = $tenant and model_name = $model and model_version = $version and outcome is not null
    and outcome_at >= $since and outcome_at < $until and outcome_at <= $as_of
qualify row_number() over (partition by tenant_id, lead_id order by predicted_at desc, probability) = 1
order by lead_id
"""
_SERVED = """
select distinct tenant_id, model_name, model_version
from marts.fct_predictions
where (predicted_at >= $since and predicted_at < $until and predicted_at <= $as_of)
    or (outcome_at >= $since and outcome_at < $until and outcome_at <= $as_of)
order by all
"""


class WarehouseScoredRows:
    """The port `ScoredRows` over the marts of any engine; DuckDB does the reading on all of them."""

    def __init__(self, warehouse: EngineWarehouse) -> None:
        """Take the warehouse; nothing is opened yet."""
        self._warehouse = warehouse

    def served(self, week: Week, as_of: datetime) -> Sequence[Served] | None:
        """Versions that predicted in a week or whose outcomes became known in it; None where no model has ever been in service."""
        with self._opened() as connection:
            if connection is None:
                return None
            rows = connection.execute(_SERVED, {"since": week.since, "until": week.until, "as_of": as_of}).fetchall()
            if not rows and not connection.execute("select 1 from marts.fct_predictions limit 1").fetchall():
                return None
            return [Served(tenant, model, int(version)) for tenant, model, version in rows]

    def batches(self, served: Served, features: Sequence[str], week: Week, as_of: datetime) -> Iterator[Batch]:
        """Rows of a week, column `prediction` included; a feature that the marts lack is left out."""
        with self._opened() as connection:
            if connection is None:
                return
            there = {row[0] for row in connection.execute("describe marts.ftr_leads").fetchall()} - _KEYS
            quoted = [f', features."{name}"' for name in features if name in there]
            statement = _WEEK + _ROWS.format(features="".join(quoted))
            reader: Any = connection.sql(statement, params=_values(served, week, as_of)).to_arrow_reader(_BATCH)
            for batch in reader:
                yield Batch(batch.num_rows, {name: plain(batch.column(at)) for at, name in enumerate(batch.schema.names)})

    def outcomes(self, served: Served, week: Week, as_of: datetime) -> tuple[Any, Any]:
        """Probabilities and outcomes, both (rows,), of predictions whose outcome became known in the week."""
        with self._opened() as connection:
            if connection is None:
                return [], []
            found: Any = connection.sql(_OUTCOMES, params=_values(served, week, as_of)).to_arrow_table()
            return plain(found.column("probability")), plain(found.column("outcome"))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """The marts in DuckDB: the file itself, or what another engine holds; None where there are no predictions."""
        if isinstance(self._warehouse, Warehouse):
            with self._warehouse.reading() as connection:
                query = "select table_name from information_schema.tables where table_schema = 'marts'"
                yield connection if {row[0] for row in connection.execute(query).fetchall()} >= _TABLES else None
            return
        if not set(self._warehouse.names()) >= _TABLES:
            yield None
            return
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("create schema marts")
            for name, table in self._warehouse.read(sorted(_TABLES)).items():
                connection.register(f"given_{name}", table)
                connection.execute(f"create view marts.{name} as from given_{name}")
            try:
                yield connection
            except duckdb.Error as error:
                raise WarehouseError(str(error)) from error


def _values(served: Served, week: Week, as_of: datetime) -> dict[str, Any]:
    names = {"tenant": served.tenant_id, "model": served.model, "version": served.version}
    return names | {"since": week.since, "until": week.until, "as_of": as_of}


def plain(column: "pa.Array | pa.ChunkedArray") -> "np.ndarray | tuple[np.ndarray, list[str]]":
    """An Arrow column as an array of floats, NaN where there is none; text as codes (-1 where there is none) and their dictionary."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return coded(column)
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        column = pc.cast(column, pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise WarehouseError(f"a column of type {kind} is no feature: numbers, booleans and text are")
    found: np.ndarray = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found
