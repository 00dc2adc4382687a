"""A Spark session over a warehouse's folder: its settings, and its catalog, which lives in memory and is filled from what lies there.

Here belongs what only a session can do. In memory, because a Hive metastore costs 12 to 16 s of processor time a start (measured, 2
cores) and admits one process; all that it would know can be read from the folder (`spark_place`). Not here: when a session is opened
(`dbt_worker`, `warehouse_spark`).
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from core.columns import ColumnType, columns
from orchestration.resources.sources import Source, sources
from orchestration.resources.spark_place import SparkPlace

_TYPES: dict[ColumnType, str] = {
    "text": "string",
    "int": "bigint",
    "float": "double",
    "bool": "boolean",
    "time": "timestamp",
    "date": "date",
    "binary": "binary",
}
_SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"


@contextmanager
def open_session(place: SparkPlace) -> Iterator[SparkSession]:
    """Start Java and hold a session, stopped at the end; the catalog is empty (see `show`)."""
    Path(place.folder, "tmp").mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else executors take the python3 of the path, which has no pyarrow
    builder = SparkSession.builder.appName("flexoraa").master(place.master)
    for name, value in _configuration(place).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def _configuration(place: SparkPlace) -> dict[str, str]:
    folder = Path(place.folder)
    return {
        "spark.driver.memory": place.memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Djava.io.tmpdir={folder / 'tmp'}",
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.executor.memory": place.memory,
        "spark.local.dir": str(folder / "tmp"),
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",  # two cores: 200, Spark's own, is 200 tasks of nothing at each join
        "spark.sql.sources.default": "parquet",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",  # listing a local folder is no job for a cluster
        "spark.sql.warehouse.dir": str(folder),
    }


def show(session: SparkSession, place: SparkPlace, only: str | None = None) -> None:
    """Fill the catalog: lake and reference as they are now, the warehouse's own tables, its views.

    `only` is a statement: whatever it does not name is left out, for to make a table known costs a statement.
    """
    if only is not None and any(name.partition(".")[2] in only for name in place.views()):
        only = None  # a view may read anything
    for schema in ("lake", "reference", *place.schemas()):
        session.sql(f"create schema if not exists {schema}")
    for source in sources(Path(place.lake), Path(place.reference)):
        if only is None or source.table in only:
            _show_files(session, source, place.linked(source.name, source.files))
    for schema in place.schemas():
        whole = place.tables(schema)
        for known in session.catalog.listTables(schema):
            if known.tableType == "MANAGED" and known.name not in whole:  # its files are gone
                session.sql(f"drop table {schema}.{known.name}")
        for table, folder in whole.items():
            if (only is None or table in only) and not session.catalog.tableExists(f"{schema}.{table}"):
                _show_own(session, schema, table, folder)
    if only is None:
        for name, statement in place.views().items():
            session.sql(f"create schema if not exists {name.partition('.')[0]}")
            if not session.catalog.tableExists(name):
                session.sql(statement)


def views(session: SparkSession) -> dict[str, str]:
    """The statement that makes each view that the catalog holds."""
    found = {}
    for schema in session.catalog.listDatabases():
        for row in session.sql(f"show views in {schema.name}").collect():
            if row["namespace"]:  # temporary ones, which unit tests leave behind, have none
                name = f"{row['namespace']}.{row['viewName']}"
                found[name] = session.sql(f"show create table {name}").collect()[0][0]
    return found


def _show_files(session: SparkSession, source: Source, folder: Path) -> None:
    """Parquet that others write: dropped and made again, since a session keeps the list of files that it once read."""
    listed = ", ".join(f"`{column.name}` {_TYPES[column.type]}" for column in columns(source.struct))
    session.sql(f"drop table if exists {source.name}")
    session.sql(f"create table {source.name} ({listed}) using parquet location '{_quoted(folder)}'")


def _show_own(session: SparkSession, schema: str, table: str, folder: Path) -> None:
    """A table of the warehouse: made over its files, then called managed, so that `drop table` takes the files with it."""
    metadata = pq.read_metadata(next(folder.glob("*.parquet"))).metadata or {}
    listed = ""  # what Python writes (predictions, results of experiments) says nothing to Spark, which then reads the files' own schema
    if _SPARK_SCHEMA in metadata:
        fields = StructType.fromJson(json.loads(metadata[_SPARK_SCHEMA])).fields
        listed = "(" + ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in fields) + ")"
    session.sql(f"create table {schema}.{table} {listed} using parquet location '{_quoted(folder)}'")
    java: Any = session._jsparkSession  # the catalog's own interface; SQL has no word for it
    identifier = java.sessionState().sqlParser().parseTableIdentifier(f"{schema}.{table}")
    made = java.sessionState().catalog().getTableMetadata(identifier)
    parts = [getattr(made, f"copy$default${number + 1}")() for number in range(made.productArity())]
    parts[1] = session._jvm.org.apache.spark.sql.catalyst.catalog.CatalogTableType.MANAGED()
    java.sharedState().externalCatalog().alterTable(made.copy(*parts))


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")
