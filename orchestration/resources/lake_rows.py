"""Single rows of the lake, for what is tried again.

Here belongs looking for rows by where they came from, and taking out those that were told anew. Not here: writing segments
(`lake`), counting (`warehouse`).
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.events import EVENT_TYPES, Event, Unmodelled
from core.quarantine import Choice, Retold, Told, UnmodelledRow
from orchestration.resources.compaction import ROW_GROUP_ROWS, holders
from orchestration.resources.durable import make_durable
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
        self._drop(Unmodelled, segment_id, ("tenant_id", "event_id"), set(events))

    def retold(self, segment_id: str, replay_id: str) -> Sequence[Retold]:
        """What a replay holds anew of what its segment holds: of the same lines the same events."""
        with self._files.reading(), duckdb.connect() as connection:
            union = " union all ".join(
                f"select tenant_id, body_hash, '{each.table}', event_id, any_value(source), count(*) filter (where segment_id = $1) as own "
                f"from ({lake_query(self._files, each)}) where segment_id in ($1, $2) group by all having own > 0 and own < count(*)"
                for each in EVENT_TYPES
            )
            rows = connection.execute(f"{union} order by all", [segment_id, replay_id]).fetchall()
        return [Retold(Told(*row[:4]), row[4], row[5]) for row in rows]

    def drop_retold(self, segment_id: str, retold: Collection[Retold]) -> None:
        """Take these rows out of the segment, file by file as `drop_unmodelled` does."""
        for each in EVENT_TYPES:
            keys = {(told.tenant_id, told.body_hash, told.event_id) for told, *_ in retold if told.table == each.table}
            if keys:
                self._drop(each, segment_id, ("tenant_id", "body_hash", "event_id"), keys)

    def _drop(self, event_type: type[Event], segment_id: str, names: tuple[str, ...], wanted: Collection[tuple[str, ...]]) -> None:
        for path in [file.path for file in holders(event_type, self._files.live(event_type.table), segment_id)]:
            file = pq.ParquetFile(path)
            table = file.read()
            segments, *values = (table[name].to_pylist() for name in ("segment_id", *names))
            of_row: Any = zip(segments, zip(*values, strict=True), strict=True)
            left = table.filter(pa.array([segment != segment_id or key not in wanted for segment, key in of_row], pa.bool_()))
            if left.num_rows < table.num_rows:
                said = {name: value for name, value in (file.metadata.metadata or {}).items() if name != b"ARROW:schema"}
                draft = path.with_name(f".{path.name}.tmp")
                left = left.replace_schema_metadata(said)  # what polars wrote says it in the file alone, and not in Arrow's schema
                pq.write_table(left, draft, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS)
                make_durable([draft])  # rows of other events are in it too
                draft.rename(path)
                make_durable([path.parent])
