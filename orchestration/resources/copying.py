"""Arrow into Postgres and out of it by COPY, batch by batch.

Here belongs the one text form in which both understand each other: CSV with null as nothing and empty text as "". Not here: which tables
(`serving`, `warehouse_postgres`).
"""

import io
from collections.abc import Iterable

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from psycopg import sql

BATCH_ROWS = 50_000
"""Rows that are text at once."""


def copy_in(connection: psycopg.Connection, target: sql.Composable, batches: Iterable[pa.RecordBatch]) -> None:
    """Append batches to a table whose columns are theirs, in that order."""
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin with (format csv)").format(target)) as copy:
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                sink = pa.BufferOutputStream()
                options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
                pa_csv.write_csv(_as_postgres_reads(batch.slice(start, BATCH_ROWS)), sink, options)
                copy.write(sink.getvalue())


def copy_out(connection: psycopg.Connection, query: sql.Composable, schema: pa.Schema) -> pa.Table:
    """All rows of a query whose columns are those of the schema."""
    body = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy ({}) to stdout with (format csv)").format(query)) as copy:
        for data in copy:
            body.write(data)
    if not body.tell():
        return schema.empty_table()
    body.seek(0)
    return pa_csv.read_csv(
        body,
        pa_csv.ReadOptions(column_names=schema.names),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=["t"], false_values=["f"],
        ),
    )  # fmt: skip


def _as_postgres_reads(batch: pa.RecordBatch) -> pa.RecordBatch:
    for place, field in enumerate(batch.schema):
        column = batch.column(place)
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            batch = batch.set_column(place, field.name, _hexadecimal(column))
        elif (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)) and pc.any(pc.match_substring(column, "\0")).as_py():
            batch = batch.set_column(place, field.name, pc.replace_substring(column, "\0", "\ufffd"))  # Postgres has no zero character
    return batch


def _hexadecimal(column: pa.Array) -> pa.Array:
    """Bytes as Postgres reads them in text: a backslash, x, two digits a byte."""
    import polars as pl  # here: 0.3 s that tables without bytes never need; pyarrow has no such function

    texts = pl.concat_str(pl.lit("\\x"), pl.col("bytes").bin.encode("hex"))
    return pl.DataFrame({"bytes": pl.from_arrow(column)}).select(texts).to_series().to_arrow()
