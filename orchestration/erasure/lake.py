"""Ciphertext of the lake that a person's own key does not cover, taken out row by row.

Here belongs what lies under the tenant's key (events that name nobody, yet may speak of somebody) and what lies under a number's key from
the time before the number was another lead's. All else in the lake is under keys that go. Only files with such a row are written anew: a
rare case, which costs the next build a full refresh. Not here: keys.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES, Event
from core.sealing import SealError, unseal
from orchestration.erasure.words import Finder
from orchestration.resources.compaction import ROW_GROUP_ROWS
from orchestration.resources.durable import make_durable
from orchestration.resources.lake_files import LakeFile, LakeFiles

Mask = Callable[[pa.Table], Any]
"""Which rows of a table lose their ciphertext, as an Arrow array of booleans."""


def secret_columns(event_type: type[Event]) -> list[str]:
    """Columns that hold ciphertext."""
    return [column.name for column in columns(event_type) if column.role in {"personal", "sealed"}]


def has_contact(event_type: type[Event]) -> bool:
    """Whether its events may name a contact."""
    return any(column.name == "contact_point_id" for column in columns(event_type))


def wipe(files: LakeFiles, event_type: type[Event], mask: Mask, needed: Sequence[str]) -> int:
    """Empty the ciphertext of rows; returns how many. Files are replaced one by one, under the same name; again changes nothing."""
    names = secret_columns(event_type)
    count = 0
    for file in files.live(event_type.table):
        if not names or not _any(mask, pq.read_table(file.path, columns=[*needed, *names])):
            continue
        count += _rewrite(file, names, mask)
    return count


def _any(mask: Mask, table: pa.Table) -> bool:
    return bool(table.num_rows and pc.any(mask(table)).as_py())


def _rewrite(file: LakeFile, names: Sequence[str], mask: Mask) -> int:
    source = pq.ParquetFile(file.path)
    table = source.read()
    wanted = mask(table)
    rows = 0
    for name in names:
        position = table.schema.get_field_index(name)
        field = table.schema.field(position)
        empty = pa.scalar(None if field.nullable else b"", field.type)
        column = table[name].combine_chunks()
        lost = pc.and_(wanted, pc.and_(pc.is_valid(column), pc.greater(pc.fill_null(pc.binary_length(column), 0), 0)))
        rows = max(rows, pc.sum(lost).as_py() or 0)
        table = table.set_column(position, field, pc.if_else(wanted, empty, column))
    said = {name: value for name, value in (source.metadata.metadata or {}).items() if name != b"ARROW:schema"}
    draft = file.path.with_name(f".{file.path.name}.tmp")
    pq.write_table(
        table.replace_schema_metadata(said), draft, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS
    )
    make_durable([draft])
    draft.rename(file.path)
    make_durable([file.path.parent])
    return rows


def wipe_handed_on(files: LakeFiles, tenant_id: str, until: Mapping[str, datetime]) -> int:
    """What was said under points before they were another lead's; `until`: that moment, by point."""
    if not until:
        return 0
    ids, ends = list(until), pa.array(until.values(), pa.timestamp("us", tz="UTC"))

    def mask(table: pa.Table) -> Any:
        index = pc.index_in(table["contact_point_id"].combine_chunks(), pa.array(ids, pa.string()))
        end = pc.take(ends, index)
        before = pc.less(table["occurred_at"].combine_chunks(), end)
        return pc.fill_null(pc.and_(pc.equal(table["tenant_id"].combine_chunks(), tenant_id), before), False)

    needed = ["tenant_id", "contact_point_id", "occurred_at"]
    return sum(wipe(files, each, mask, needed) for each in EVENT_TYPES if has_contact(each))


def wipe_unnamed(files: LakeFiles, keys: Mapping[str, bytes], finder: Finder) -> int:
    """What lies under tenants' own keys and speaks of whom the finder finds; `keys` by tenant."""

    def masked(event_type: type[Event]) -> Mask:
        names = secret_columns(event_type)

        def mask(table: pa.Table) -> Any:
            found = [False] * table.num_rows
            unnamed = pc.is_null(table["contact_point_id"]).to_pylist()
            tenants, ids = table["tenant_id"].to_pylist(), table["event_id"].to_pylist()
            for name in names:
                values = table[name].to_pylist()
                texts, rows = [], []
                for row, value in enumerate(values):
                    if value and unnamed[row] and tenants[row] in keys:
                        texts.append(_opened(keys[tenants[row]], value, f"{ids[row]}:{name}"))
                        rows.append(row)
                for index in finder.hits(texts):
                    found[rows[index]] = True
            return pa.array(found, pa.bool_())

        return mask

    types = [each for each in EVENT_TYPES if has_contact(each) and any(column.role == "sealed" for column in columns(each))]
    return sum(wipe(files, each, masked(each), ["tenant_id", "event_id", "contact_point_id"]) for each in types)


def _opened(key: bytes, sealed: bytes, place: str) -> bytes:
    try:
        return unseal(key, sealed, place.encode())
    except SealError:  # what does not open holds nothing that anybody can read
        return b""
