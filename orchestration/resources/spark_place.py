"""Where a warehouse in Spark lies, and which of its tables are whole. Nothing here starts Java.

Here belongs the folder: `<schema>.db/<table>/*.parquet`, Spark's own way of laying out tables, and the lock between who writes it and who
reads it. Spark puts an empty file `_SUCCESS` into a table's folder last; a folder without one was left by a killed process and is nothing.
Not here: the session (`spark_session`), reading for the platform (`warehouse_spark`).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from orchestration.resources.settings import Settings
from orchestration.resources.warehouse import WarehouseError

VARIABLE = "FLEXORAA_DBT_SPARK"
"""Holds a `SparkPlace` as JSON, for the dbt worker."""

_LOCK = "warehouse.lock"
_VIEWS = "views.json"


class SparkPlace(Struct, frozen=True):
    """A warehouse's folder, what it is built from, and who computes: `local[n]` or `spark://host:port`."""

    folder: str
    lake: str
    reference: str
    master: str
    memory: str

    @classmethod
    def of(cls, settings: Settings) -> "SparkPlace":
        """The place of an installation."""
        return cls(str(settings.spark_warehouse), str(settings.lake), str(settings.reference), settings.spark_master, settings.spark_memory)

    def tables(self, schema: str) -> dict[str, Path]:
        """The folders of whole tables of a schema, by name."""
        found = sorted(Path(self.folder, f"{schema}.db").glob("*/_SUCCESS"))
        return {path.parent.name: path.parent for path in found}

    def schemas(self) -> list[str]:
        """Schemas that have a folder."""
        return sorted(path.stem for path in Path(self.folder).glob("*.db"))

    def views(self) -> dict[str, str]:
        """The statement that makes each view, by schema and name, as of the last build."""
        path = Path(self.folder, _VIEWS)
        return json.loads(path.read_text()) if path.exists() else {}

    def keep_views(self, views: dict[str, str]) -> None:
        """Remember them: Spark's catalog lives in memory."""
        draft = Path(self.folder, f"{_VIEWS}.{os.getpid()}")
        draft.write_text(json.dumps(views, indent=1))
        draft.replace(Path(self.folder, _VIEWS))

    def linked(self, name: str, files: Sequence[Path]) -> Path:
        """A folder of links to just these files: Spark's tables are folders, and not every file of the lake's folders counts."""
        folder = Path(self.folder, "links", name)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.parquet": path for path in files}
        present = {path.name for path in folder.iterdir()}
        for gone in present - wanted.keys():
            (folder / gone).unlink()
        for new in wanted.keys() - present:
            (folder / new).symlink_to(wanted[new])
        return folder

    def put(self, schema: str, name: str, table: pa.Table) -> None:
        """Put a whole table in place of the last one; only for who holds the lock to write."""
        folder = Path(self.folder, f"{schema}.db", name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "part-0.parquet")
        (folder / "_SUCCESS").touch()

    def clean(self) -> None:
        """Drop what a killed process left half written; only for who holds the lock to write."""
        for schema in self.schemas():
            whole = self.tables(schema)
            for path in Path(self.folder, f"{schema}.db").iterdir():
                if path.name not in whole:
                    shutil.rmtree(path)

    @contextlib.contextmanager
    def locked(self, *, to_write: bool) -> Iterator[None]:
        """Alone to write, once all readers are done; or to read, beside other readers.

        Raises:
            WarehouseError: to read, while somebody writes it.
        """
        if not to_write and not Path(self.folder).is_dir():
            raise WarehouseError("there is no warehouse yet: run `flexoraa run` first")
        Path(self.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        with Path(self.folder, _LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if to_write else fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = "the warehouse is being written by another process; try again when its run has ended"
                raise WarehouseError(message) from error
            yield
