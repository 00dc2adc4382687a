"""Every file of a home as bytes: as it lies on disk and, where that is packed, as it reads.

Here belongs opening what a store may be packed in: gzip, zstd, zip, the pages of Parquet, the columns of DuckDB. Not here: a database
server (`servers`), the search.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from orchestration.verifier.search import Piece

_PART = 4 << 20
_ROWS = 65_536
_PLACE = 4  # bytes
_DAMAGED = (OSError, EOFError, zlib.error, zstandard.ZstdError, zipfile.BadZipFile, pa.ArrowException)


class Unread(NamedTuple):
    """What could not be read as it is packed; its bytes were searched all the same."""

    place: str
    why: str


class Files:
    """The files of one home, one after the other."""

    def __init__(self, home: Path, overlap: int, since: datetime | None) -> None:
        """`overlap`: bytes that pieces share, the longest needle's; `since`: lines of the inbox received from then on are later news."""
        self._home = home
        self._overlap = overlap
        self._since = since
        self.counts: dict[str, tuple[int, int]] = {}
        self.unread: list[Unread] = []

    def pieces(self) -> Iterator[Piece]:
        """All of them."""
        for path in sorted(self._home.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            store = path.relative_to(self._home).parts[0]
            place = str(path.relative_to(self._home))
            try:
                size = path.stat().st_size
                yield Piece(f"{place} (its name)", str(path.relative_to(self._home)).encode(errors="replace"))
                yield from self._of_file(path, place, self._since if store == "inbox" else None)
            except FileNotFoundError:  # a server's temporary file
                continue
            files, total = self.counts.get(store, (0, 0))
            self.counts[store] = (files + 1, total + size)

    def _of_file(self, path: Path, place: str, since: datetime | None) -> Iterator[Piece]:
        with path.open("rb") as file:
            yield from self._parts(file, place, since)
        try:
            with path.open("rb") as file:
                if path.suffix == ".gz":
                    with gzip.open(file) as unpacked:
                        yield from self._parts(unpacked, f"{place} (unpacked)", since)
                elif path.suffix == ".zst":
                    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
                    yield from self._parts(io.BufferedReader(reader), f"{place} (unpacked)", since)
                elif path.suffix in {".zip", ".skops"}:
                    yield from self._members(path, place)
                elif path.suffix == ".parquet":
                    yield from _parquet(path, place)
            if path.suffix == ".duckdb":
                yield from _duckdb(path, place)
        except _DAMAGED as error:
            self.unread.append(Unread(place, f"{type(error).__name__}: it is damaged or cut off"))

    def _members(self, path: Path, place: str) -> Iterator[Piece]:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as unpacked:
                    yield from self._parts(unpacked, f"{place} ({member})", None)

    def _parts(self, file: IO[bytes] | Any, place: str, since: datetime | None) -> Iterator[Piece]:
        """Parts that overlap; of lines whose moment counts, whole lines."""
        tail = b""
        while part := file.read(_PART):
            if since is not None:
                yield Piece(place, part + file.readline(), 0, since)
            else:
                yield Piece(place, tail + part, len(tail))
                tail = (tail + part)[-self._overlap :]


def _parquet(path: Path, place: str) -> Iterator[Piece]:
    """Every value of every column, as the pages say it once they are unpacked; of a column with few values each of them once."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=_of_few_values(metadata)) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            yield from _columns(batch, place)


def _of_few_values(metadata: Any) -> list[str]:
    """Columns whose pages hold places in a dictionary more than values: in no more bytes than such a place takes."""
    sizes: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            sizes[column.path_in_schema] = sizes.get(column.path_in_schema, 0) + column.total_uncompressed_size
    return [name for name, size in sizes.items() if size < _PLACE * metadata.num_rows]


def _duckdb(path: Path, place: str) -> Iterator[Piece]:
    """Every value of every text or binary column of every table; views show other stores."""
    import duckdb

    with duckdb.connect(str(path), read_only=True) as database:
        database.execute("set TimeZone = 'UTC'")
        tables = database.sql("select database_name, schema_name, table_name from duckdb_tables() where not internal").fetchall()
        for catalog, schema, table in tables:
            name = ".".join('"' + each.replace('"', '""') + '"' for each in (catalog, schema, table))
            reader: Any = database.sql(f"from {name}").to_arrow_reader(_ROWS)
            for batch in reader:
                yield from _columns(batch, f"{place} {schema}.{table}")


def _columns(batch: pa.RecordBatch, place: str) -> Iterator[Piece]:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        values = column.dictionary if pa.types.is_dictionary(field.type) else column
        kind = values.type
        if pa.types.is_integer(kind) or pa.types.is_nested(kind):
            values, kind = _as_text(values), pa.string()
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            continue
        # a line end after each value: two numbers side by side must not be read as one
        ended = pc.binary_join_element_wise(values, pa.scalar("", kind), pa.scalar("\n", kind))
        data = ended.buffers()[2]
        if data is not None and data.size:
            yield Piece(f"{place} {field.name}", data.to_pybytes())


def _as_text(values: Any) -> Any:
    """Integers that may be a number to call, and whatever is nested, as text."""
    if pa.types.is_integer(values.type):
        large = values.filter(pc.greater(pc.fill_null(values, 0), 9_999_999))
        return large.cast(pa.string())
    return pa.array([None if each is None else str(each) for each in values.to_pylist()], pa.string())
