"""Columns of Python values as Arrow arrays, from their buffers.

Here belongs the way that needs neither pandas, which pyarrow imports before it looks at the first Python value (1.6 s of CPU), nor polars
(0.5 s to import, and 0.1 µs a text, where this takes 0.04). Not here: which columns a table has (`arrow`).
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa

from core.columns import ColumnType

_Buffers = list[pa.Buffer]


def array_of(kind: ColumnType, arrow_type: pa.DataType, values: Sequence[Any]) -> pa.Array | None:
    """One column; times are microseconds since 1970. None where the values are of a kind that nobody here lays out.

    >>> import pyarrow as pa
    >>> array_of("text", pa.string(), ["a", None, "é"]).validate(full=True)
    """
    layout = _LAYOUTS.get(kind)
    if layout is None or not values:
        return None
    first, size = values[0], len(values)
    if first is values[-1] and values.count(first) == size:  # by far the most columns of a tenant's messages: 6 ns a value
        if first is None:
            return pa.nulls(size, arrow_type)
        values, layout = [first], _repeated(layout, size)
    if None not in values:
        return _array(arrow_type, size, [None, *layout(values)], 0)
    present = np.fromiter((value is not None for value in values), bool, size)
    empty = _EMPTY[kind]
    filled = layout([empty if value is None else value for value in values])
    return _array(arrow_type, size, [pa.py_buffer(np.packbits(present, bitorder="little")), *filled], int(size - present.sum()))


def _array(arrow_type: pa.DataType, size: int, buffers: list[pa.Buffer | None], null_count: int) -> pa.Array:
    return pa.Array.from_buffers(arrow_type, size, buffers, null_count)


def _text(values: Sequence[str]) -> _Buffers:
    joined = "".join(values)
    if joined.isascii():
        return [_offsets(values), pa.py_buffer(joined.encode())]
    return _binary([value.encode() for value in values])


def _binary(values: Sequence[bytes]) -> _Buffers:
    return [_offsets(values), pa.py_buffer(b"".join(values))]


def _offsets(values: Sequence[str | bytes]) -> pa.Buffer:
    return pa.py_buffer(array("i", chain((0,), accumulate(map(len, values)))))  # OverflowError above 2 GB


def _whole(values: Sequence[int]) -> _Buffers:
    return [pa.py_buffer(array("q", values))]


def _repeated(layout: Callable[[Sequence[Any]], _Buffers], size: int) -> Callable[[Sequence[Any]], _Buffers]:
    """Of one value as often as that."""

    def repeated(values: Sequence[Any]) -> _Buffers:
        *offsets, data = layout(values)
        counted = [pa.py_buffer(np.arange(size + 1, dtype=np.int32) * data.size)] if offsets else []
        return [*counted, pa.py_buffer(data.to_pybytes() * size)]

    return repeated


_LAYOUTS: dict[ColumnType, Callable[[Sequence[Any]], _Buffers]] = {"text": _text, "binary": _binary, "int": _whole, "time": _whole}
_EMPTY: dict[ColumnType, Any] = {"text": "", "binary": b"", "int": 0, "time": 0}
