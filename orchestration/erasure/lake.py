"""Ciphertext of the lake that a person's own key does not cover, taken out row by row.

Here belongs what lies under the tenant's key (events that name nobody, yet may speak of somebody) and what lies under a number's key from
the time before the number was another lead's. All else in the lake is under keys that go. Only files with such a row are written anew,
a rare case. What has been kept long enough goes the same way (`wipe_old`). Not here: keys.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES, Event
from core.sealing import SealError, unseal
from orchestration.erasure.places import Place
from orchestration.erasure.words import Finder
from orchestration.resources.compaction import ROW_GROUP_ROWS
from orchestration.resources.durable import make_durable
from orchestration.resources.lake_files import LakeFiles

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
        count += _rewrite(file.path, names, mask)
    return count


def _any(mask: Mask, table: pa.Table) -> bool:
    return bool(table.num_rows and pc.any(mask(table)).as_py())


def _rewrite(path: Path, names: Sequence[str], mask: Mask) -> int:
    source = pq.ParquetFile(path)
    table = source.read()
    wanted = mask(table)
    wanted = wanted.combine_chunks() if isinstance(wanted, pa.ChunkedArray) else wanted
    rows = 0
    for name in names:
        position = table.schema.get_field_index(name)
        field = table.schema.field(position)
        empty = pa.scalar(None if field.nullable else b"", field.type)
        column = table[name].combine_chunks()
        rows = max(rows, _lost(table, name, wanted))
        table = table.set_column(position, field, pc.if_else(wanted, empty, column))
    said = {name: value for name, value in (source.metadata.metadata or {}).items() if name != b"ARROW:schema"}
    draft = path.with_name(f".{path.name}.tmp")
    pq.write_table(table.replace_schema_metadata(said), draft, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS)
    make_durable([draft])
    before = path.stat()
    os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))  # no fact changed, so no build has to begin anew
    draft.rename(path)
    make_durable([path.parent])
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


def wipe_old(files: LakeFiles, event_type: type[Event], tenant_id: str, before: datetime, kept: Collection[str]) -> int:
    """Words of a tenant's events from before a moment; those of the points that are kept stay."""

    def mask(table: pa.Table) -> Any:
        old = pc.and_(pc.equal(table["tenant_id"], tenant_id), pc.less(table["occurred_at"], pa.scalar(before, table["occurred_at"].type)))
        held = pc.fill_null(pc.is_in(table["contact_point_id"], pa.array(list(kept), table["contact_point_id"].type)), False)
        return pc.and_(old, pc.invert(held)).combine_chunks()

    days = [each for each in files.live(event_type.table) if each.day <= before.date()]
    names, count = secret_columns(event_type), 0
    for file in days:
        table = pq.read_table(file.path, columns=["tenant_id", "contact_point_id", "occurred_at", *names], partitioning=None)
        if table.num_rows and any(_lost(table, name, mask(table)) for name in names):
            count += _rewrite(file.path, names, mask)
    return count


def _lost(table: pa.Table, name: str, wanted: Any) -> int:
    """How many of the wanted rows hold ciphertext in a column."""
    column = table[name].combine_chunks()
    there = pc.and_(pc.is_valid(column), pc.greater(pc.fill_null(pc.binary_length(column), 0), 0))
    return pc.sum(pc.and_(wanted, there)).as_py() or 0


def wipe_unnamed(files: LakeFiles, keys: Mapping[str, bytes], finder: Finder, note: Callable[[Sequence[Place]], None]) -> int:
    """What lies under tenants' own keys and speaks of whom the finder finds; `keys` by tenant, `note` is told before a file changes."""
    types = {each.table: each for each in EVENT_TYPES if has_contact(each) and any(one.role == "sealed" for one in columns(each))}
    found: dict[tuple[str, Path], set[int]] = defaultdict(set)
    places = []
    for table, path, row, event in finder.hits(_unnamed(files, types, keys)):
        found[table, path].add(row)
        places.append(Place("lake", table, event))
    note(places)
    count = 0
    for (table, path), rows in found.items():
        count += _rewrite(path, secret_columns(types[table]), partial(_is_at, sorted(rows)))
    return count


def wipe_events(files: LakeFiles, table: str, events: Collection[str]) -> int:
    """Rows of events that name nobody, by their ids: what a restored lake must lose again."""

    def mask(rows: pa.Table) -> Any:
        named = pc.is_in(rows["event_id"].combine_chunks(), pa.array(sorted(events), pa.string()))
        return pc.and_(named, pc.is_null(rows["contact_point_id"].combine_chunks()))

    return sum(wipe(files, each, mask, ["event_id", "contact_point_id"]) for each in EVENT_TYPES if each.table == table)


def _unnamed(
    files: LakeFiles, types: Mapping[str, type[Event]], keys: Mapping[str, bytes]
) -> Iterator[tuple[tuple[str, Path, int, str], bytes]]:
    """Table, file, row and event of each, with its text."""
    for table, event_type in types.items():
        names = secret_columns(event_type)
        for file in files.live(table):
            rows = pq.read_table(file.path, columns=["tenant_id", "event_id", "contact_point_id", *names], partitioning=None)
            positions = _positions(rows)
            alone = pc.is_null(rows["contact_point_id"])
            tenants, ids, places = (each.filter(alone).to_pylist() for each in (rows["tenant_id"], rows["event_id"], positions))
            for name in names:
                for tenant, event_id, place, value in zip(tenants, ids, places, rows[name].filter(alone).to_pylist(), strict=True):
                    if value and tenant in keys:
                        yield (table, file.path, place, event_id), opened(keys[tenant], value, f"{event_id}:{name}")


def _is_at(rows: Sequence[int], table: pa.Table) -> Any:
    return pc.is_in(_positions(table), pa.array(rows, pa.int64()))


def _positions(table: pa.Table) -> Any:
    return pa.chunked_array([pa.array(range(table.num_rows), pa.int64())])


def opened(key: bytes, sealed: bytes, place: str) -> bytes:
    """What was sealed under a key at a place; nothing where it does not open."""
    try:
        return unseal(key, sealed, place.encode())
    except SealError:  # what does not open holds nothing that anybody can read
        return b""
