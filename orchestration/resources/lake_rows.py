"""Single rows of the lake, for what is tried again.

Here belongs looking for rows by where they came from, and taking rows of `unmodelled` out. Not here: writing segments (`lake`), counting
(`warehouse`).
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.events import EVENT_TYPES, Unmodelled
from core.quarantine import Choice, Told, UnmodelledRow
from orchestration.resources.warehouse import quoted


class FolderLakeRows:
    """The port `core.quarantine.LakeRows` over the lake's folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder = folder

    def told(self, segment_ids: Collection[str], body_hashes: Collection[str]) -> Mapping[Told, int]:
        """How often each event is in these segments, of lines with these hashes."""
        tables = [each.table for each in EVENT_TYPES if any((self._folder / each.table).glob("*/*.parquet"))]
        if not tables or not body_hashes:
            return {}
        union = " union all ".join(
            f"select tenant_id, body_hash, '{table}' as told_table, event_id, count(*) from {self._files(table)} "
            "where segment_id in (select unnest($1)) and body_hash in (select unnest($2)) group by all"
            for table in tables
        )
        with duckdb.connect() as connection:
            rows = connection.execute(union, [list(segment_ids), list(body_hashes)]).fetchall()
        return {Told(*row[:4]): row[4] for row in rows}

    def unmodelled(self, choice: Choice, kind: str | None = None, segment_ids: Collection[str] = ()) -> Sequence[UnmodelledRow]:
        """Events of types that nobody modelled, by tenant and source of the choice, their kind, and their segments."""
        if not any((self._folder / Unmodelled.table).glob("*/*.parquet")):
            return []
        query = (
            f"select {', '.join(UnmodelledRow._fields)} from {self._files(Unmodelled.table)} "
            "where ($1 is null or tenant_id = $1) and ($2 is null or source = $2) and ($3 is null or kind = $3) "
            "and (len($4) = 0 or segment_id in (select unnest($4))) order by segment_id, tenant_id, event_id, body_hash"
        )
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            rows = connection.execute(query, [choice.tenant_id, choice.source, kind, list(segment_ids)]).fetchall()
        return [UnmodelledRow(*row) for row in rows]

    def drop_unmodelled(self, segment_id: str, events: Collection[tuple[str, str]]) -> None:
        """Take rows out of `unmodelled`: those of a segment with these (tenant, event id). Files without them are not touched.

        Each file is replaced in one step by one of the same name without them, if need be without any row, whatever other segments' rows
        it holds; again changes nothing.
        """
        wanted = set(events)
        query = f"select distinct filename from {self._files(Unmodelled.table, 'filename = true')} where segment_id = $1"
        with duckdb.connect() as connection:
            names = [row[0] for row in connection.execute(query, [segment_id]).fetchall()]
        for path in map(Path, names):
            table = pq.ParquetFile(path).read()
            keys: Any = zip(*(table[name].to_pylist() for name in ("segment_id", "tenant_id", "event_id")), strict=True)
            kept = pa.array([segment != segment_id or (tenant, event) not in wanted for segment, tenant, event in keys], pa.bool_())
            left = table.filter(kept)
            if left.num_rows < table.num_rows:
                draft = path.with_name(f".{path.name}.tmp")
                pq.write_table(left, draft, compression="zstd", compression_level=1)
                draft.rename(path)

    def _files(self, table: str, options: str = "") -> str:
        files = quoted(self._folder / table / "*" / "*.parquet")
        return f"read_parquet({files}, union_by_name = true, hive_partitioning = false{', ' + options if options else ''})"
