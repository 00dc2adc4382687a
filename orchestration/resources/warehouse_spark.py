"""The warehouse in Spark: Parquet tables in a folder of the home, built by dbt-spark in a session of its own.

Here belongs reading them. Whole marts are read from their files: the same bytes that Spark would read, without starting Java, which
takes 10 s and more. A person's query is Spark's to answer, so it starts a session. Not here: building (`dbt_worker`), the folder
(`spark_place`).
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.resources.settings import SettingsError
from orchestration.resources.spark_place import SparkPlace
from orchestration.resources.warehouse import Batches, EngineWarehouse, WarehouseError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_JAVA = 17
_CONTRACT_TYPES = {"string": "text", "int64": "bigint", "int32": "integer", "double": "double precision", "bool": "boolean",
                   "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamptz"}  # fmt: skip


def require_spark() -> None:
    """Refuse where pyspark or Java is missing.

    Raises:
        SettingsError: says what to install.
    """
    if find_spec("pyspark") is None or find_spec("dbt.adapters.spark") is None:
        raise SettingsError("the engine spark needs pyspark: `make setup-spark`")
    wanted = "the engine spark needs Java 17 or newer: `apt-get install openjdk-17-jre-headless`, or set JAVA_HOME"
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else which("java")
    if java is None or not Path(java).exists():
        raise SettingsError(wanted)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is not None and int(version[1]) < _JAVA:
        raise SettingsError(f"{wanted}; {java} is {said.splitlines()[0]}")


class SparkWarehouse(EngineWarehouse):
    """Tables of a `SparkPlace`."""

    def __init__(self, place: SparkPlace) -> None:
        """Take the place; nothing is opened yet."""
        super().__init__(Path(place.lake), Path(place.reference))
        self._place = place

    has_increments = False  # dbt-spark's Parquet tables know no delete

    def prepare(self) -> None:
        """Nothing: the worker's session looks at lake and reference when it begins to build."""

    def follow(self) -> bool:
        """Nothing to let go of: each session links to the files that count when it begins."""
        return True

    def read(self, marts: Iterable[str]) -> Mapping[str, pa.Table]:
        """Whole marts as Arrow tables, all from one moment."""
        with self._place.locked(to_write=False):
            return {mart: _read(self._folder(mart)) for mart in marts}

    def put(self, tables: Mapping[str, pa.Table]) -> None:
        """Put whole marts in place of the last ones: folders as Spark writes them, each moved into place."""
        with self._place.locked(to_write=True):
            for mart, table in tables.items():
                self._place.put("marts", mart, table)

    def query(self, statement: str) -> pa.Table:
        """As `EngineWarehouse.query`."""
        with self._asked(statement) as frame:
            return frame.toArrow()

    def mapped(self, statement: str, function: Callable[[Batches], Batches], schema: pa.Schema) -> pa.Table:
        """As `EngineWarehouse.mapped`, in Spark's executors: batches never pass through this process, only what is made of them."""
        require_spark()
        from pyspark.sql.pandas.types import from_arrow_schema

        with self._asked(statement) as frame:
            return frame.mapInArrow(function, from_arrow_schema(schema)).toArrow().cast(schema)

    @contextlib.contextmanager
    def _asked(self, statement: str) -> Iterator["DataFrame"]:
        """A query in a session of its own, which ends with the block."""
        require_spark()
        from pyspark.errors import PySparkException

        from orchestration.resources.spark_session import open_session, show

        with self._lake.reading(), self._place.locked(to_write=False), open_session(_here(self._place)) as session:
            try:
                show(session, self._place, statement)
                session.conf.set("spark.sql.runSQLOnFiles", "false")  # a query may read the tables, and no other file
                _refuse_commands(session, statement)
                yield session.sql(statement)
            except PySparkException as error:
                raise WarehouseError(str(error).partition("\n\nJVM stacktrace")[0]) from error

    def names(self, schema: str = "marts") -> list[str]:
        """Tables of a schema."""
        with self._place.locked(to_write=False):
            return list(self._place.tables(schema))

    def columns(self) -> dict[str, dict[str, str]]:
        """Types of the columns of every mart, in the words of dbt's contracts."""
        with self._place.locked(to_write=False):
            schemas = {mart: pq.read_schema(next(folder.glob("*.parquet"))) for mart, folder in self._place.tables("marts").items()}
        return {
            mart: {field.name: _CONTRACT_TYPES.get(str(field.type), str(field.type)) for field in schema}
            for mart, schema in schemas.items()
        }

    def row_counts(self) -> dict[str, int]:
        """Rows of every mart, by the files' own counts."""
        with self._place.locked(to_write=False):
            return {
                mart: sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))
                for mart, folder in self._place.tables("marts").items()
            }

    def _folder(self, mart: str) -> Path:
        folder = self._place.tables("marts").get(mart)
        if folder is None:
            raise WarehouseError(f"there is no table marts.{mart} yet: run `flexoraa run` first")
        return folder


def _read(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet")))


def _here(place: SparkPlace) -> SparkPlace:
    """A question is answered on this machine, whoever builds: a cluster may have no room beside a build."""
    return place if place.master.startswith("local") else SparkPlace(place.folder, place.lake, place.reference, "local[2]", place.memory)


def _refuse_commands(session: "SparkSession", statement: str) -> None:
    """Told before it runs, by the grammar: what may stand in brackets after `from` is a query and writes nothing."""
    from pyspark.errors import ParseException

    parser: Any = session._jsparkSession  # a parser that runs nothing
    parser.sessionState().sqlParser().parsePlan(statement)  # a mistake is told as one
    try:
        parser.sessionState().sqlParser().parsePlan("select * from (\n" + statement.strip().rstrip(";") + "\n)")
    except ParseException as error:
        raise WarehouseError("that is no query: only reading is possible here") from error
