"""Signals as files beside the reference tables: `reference/signals/<file of the lake>~<fingerprint>.parquet`.

A file here is a function of one file of the lake, of the version that read it and of the tenants' settings (the fingerprint is of both), so
any order of runs, any number of them, and any merging of the lake's files give the same rows. What another file of the same day holds
already is copied and not read again: merging costs no reading. Not here: reading (`assets.signals`), who reads (`signal_readers`).
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import columns
from core.events import Message
from core.reference import Tenant
from core.signals import OFF, MessageSignal, Sealed
from orchestration.resources.arrow import schema_of, table_of
from orchestration.resources.durable import make_durable
from orchestration.resources.lake_files import LakeFile, LakeFiles
from orchestration.resources.lake_views import files_query
from orchestration.resources.reference import read_rows
from orchestration.resources.signal_files import FOLDER, STATE, live_signals, signals_query
from orchestration.resources.state import State

_SAME = ("tenant_id", "event_id", "source", "account_id", "body_hash", "occurred_at")
"""What makes two rows one telling."""

_IS_SAME = " and ".join(f"known.{each} = told.{each}" for each in _SAME)
_TOGETHER = 64
"""Files that wait for the disk at once, and are read again if the process dies before."""

OUTSIDE = "external"
"""The reader of what a language model read: kept whatever the version is, for reading it again sends it out again, and is paid again."""


class FolderSignals:
    """The port `core.signals.Signals` over the folders of reference and lake."""

    def __init__(self, reference: Path, lake: Path, state: State) -> None:
        """Take the folders, and the state that knows the tenants."""
        self._folder = reference / FOLDER
        self._lake = LakeFiles(lake)
        self._state = state
        self._mark = ""
        self._files: dict[str, LakeFile] = {}
        self._known: dict[str, list[Path]] = {}
        self._drafts: dict[Path, Path] = {}

    def tenants(self) -> Mapping[str, Tenant]:
        """As `tenant apply` left them."""
        return {each.tenant_id: each for each in read_rows(self._state, Tenant)}

    def pending(self, version: str) -> Sequence[str]:
        """Files of the lake without one of this fingerprint here."""
        self._mark, self._drafts = "", {}
        if version == OFF:
            return []
        self._mark = self._fingerprint(version)
        self._files = {each.name: each for each in self._lake.live(Message.table)}
        self._known = {}
        for path in live_signals(self._folder.parent):
            self._known.setdefault(path.parent.name, []).append(path)
        return [name for name in self._files if not self._place(name).exists()]

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        database = duckdb.connect()
        database.execute("set TimeZone = 'UTC'; set memory_limit = '1GB'")
        return database

    def unread(self, name: str, rows: int) -> Iterator[Sequence[Sealed]]:
        """Messages with text that no file of the day holds, by tenant and contact, so that keys are fetched together."""
        with self._lake.reading():
            condition = f"and not exists (from known where {_IS_SAME})" if self._show(name) else ""
            found = self._database.execute(
                f"select {', '.join(Sealed._fields)} from told where text_enc is not null {condition} "
                "order by tenant_id, contact_point_id, event_id, body_hash"
            )
            while batch := found.fetchmany(rows):
                yield [Sealed(*row) for row in batch]

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Callable[[Sequence[MessageSignal]], None]]:
        """A draft that takes its name, with some others, once the block ended well and it is on disk."""
        target = self._place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(".tmp")
        schema = schema_of(MessageSignal)
        with pq.ParquetWriter(draft, schema, compression="zstd") as writer:

            def write(rows: Sequence[MessageSignal]) -> None:
                if rows:
                    writer.write_table(_table(rows))

            yield write
            with self._lake.reading():
                if self._show(name):
                    listed, order = ", ".join(schema.names), ", ".join(_SAME)
                    copied = f"select {listed} from known where exists (from told where {_IS_SAME}) order by {order}"
                    for batch in self._database.sql(copied).to_arrow_reader(10_000):
                        writer.write_table(pa.Table.from_batches([batch]).cast(schema))
        self._drafts[draft] = target
        if len(self._drafts) >= _TOGETHER:
            self._publish()

    def settle(self) -> int:
        """Files of no fingerprint but this one stay, and only those of files that count in the lake."""
        if not self._mark:
            return 0
        self._publish()
        wanted = {self._place(name) for name in self._files}
        gone = [path for path in self._folder.glob("*/*") if path not in wanted]
        for path in gone:
            path.unlink()
        self._folder.mkdir(parents=True, exist_ok=True)
        state = self._folder / STATE
        if not state.exists() or state.read_text(encoding="ascii") != self._mark:
            draft = state.with_suffix(".tmp")
            draft.write_text(self._mark, encoding="ascii")
            draft.rename(state)
        return len(gone)

    def _publish(self) -> None:
        make_durable(self._drafts)
        for draft, target in self._drafts.items():
            draft.rename(target)
        make_durable({target.parent for target in self._drafts.values()})
        self._drafts = {}

    def _show(self, name: str) -> bool:
        """`told`: the rows of a file of the lake. `known`, if there are any: rows of its day that need no reading, each telling once."""
        self._database.execute(f"create or replace view told as {files_query(Message, [self._files[name]])}")
        files = self._known.get(name.partition("/")[0], [])
        own = [path for path in files if path.stem.endswith(f"~{self._mark}")]
        other = [path for path in files if path not in own]
        if not files:
            return False
        reference = self._folder.parent
        parts = [signals_query(reference, own), f"select * from ({signals_query(reference, other)}) where reader = '{OUTSIDE}'"]
        self._database.execute(
            f"create or replace view known as select * from ({' union all '.join(parts)}) "
            f"qualify row_number() over (partition by {', '.join(_SAME)} order by reader, version) = 1"
        )
        return True

    def _place(self, name: str) -> Path:
        return self._folder / f"{name.removesuffix('.parquet')}~{self._mark}.parquet"

    def _fingerprint(self, version: str) -> str:
        """Of the version, the tenants' settings and the columns."""
        settings = sorted((each.tenant_id, each.timezone, each.currency, each.default_region) for each in self.tenants().values())
        told = msgspec.json.encode([version, settings, [column[:3] for column in columns(MessageSignal)]])
        return hashlib.sha256(told).hexdigest()[:12]


def _table(rows: Sequence[MessageSignal]) -> pa.Table:
    return table_of(MessageSignal, {column.name: [getattr(row, column.field) for row in rows] for column in columns(MessageSignal)})
