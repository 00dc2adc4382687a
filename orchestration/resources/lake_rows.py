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
from orchestration.resources.compaction import ROW_GROUP_ROWS, holders
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_views import lake_query


class FolderLakeRows:
    """The port `core.quarantine.LakeRows` over the lake's folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._files = LakeFiles(folder)

    def told(self, segment_ids: Collection[str], body_hashes: Collection[str]) -> Mapping[Told, int]:
        """How often each event is in these segments, of lines with these hashes."""
        if not body_hashes:
            return {}
        with self._files.reading(), duckdb.connect() as connection:
            union = " union all ".join(
                f"select tenant_id, body_hash, '{each.table}' as told_table, event_id, count(*) from ({lake_query(self._files, each)}) "
                "where segment_id in (select unnest($1)) and body_hash in (select unnest($2)) group by all"
                for each in EVENT_TYPES
            )
            rows = connection.execute(union, [list(segment_ids), list(body_hashes)]).fetchall()
        return {Told(*row[:4]): row[4] for row in rows}

    def unmodelled(self, choice: Choice, kind: str | None = None, segment_ids: Collection[str] = ()) -> Sequence[UnmodelledRow]:
        """Events of types that nobody modelled, by tenant and source of the choice, their kind, and their segments."""
        with self._files.reading(), duckdb.connect() as connection:
            query = (
                f"select {', '.join(UnmodelledRow._fields)} from ({lake_query(self._files, Unmodelled)}) "
                "where ($1 is null or tenant_id = $1) and ($2 is null or source = $2) and ($3 is null or kind = $3) "
                "and (len($4) = 0 or segment_id in (select unnest($4))) order by segment_id, tenant_id, event_id, body_hash"
            )
            connection.execute("set TimeZone = 'UTC'")
            rows = connection.execute(query, [choice.tenant_id, choice.source, kind, list(segment_ids)]).fetchall()
        return [UnmodelledRow(*row) for row in rows]

    def drop_unmodelled(self, segment_id: str, events: Collection[tuple[str, str]]) -> None:
        """Take rows out of `unmodelled`: those of a segment with these (tenant, event id). Files without them are not touched.

        Each file is replaced in one step by one of the same name without them, if need be without any row, whatever other segments' rows
        it holds; again changes nothing.
        """
        wanted = set(events)
        for path in [file.path for file in holders(Unmodelled, self._files.live(Unmodelled.table), segment_id)]:
            file = pq.ParquetFile(path)
            table = file.read()
            keys: Any = zip(*(table[name].to_pylist() for name in ("segment_id", "tenant_id", "event_id")), strict=True)
            kept = pa.array([segment != segment_id or (tenant, event) not in wanted for segment, tenant, event in keys], pa.bool_())
            left = table.filter(kept)
            if left.num_rows < table.num_rows:
                said = {name: value for name, value in (file.metadata.metadata or {}).items() if name != b"ARROW:schema"}
                draft = path.with_name(f".{path.name}.tmp")
                left = left.replace_schema_metadata(said)  # what polars wrote says it in the file alone, and not in Arrow's schema
                pq.write_table(left, draft, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS)
                draft.rename(path)
