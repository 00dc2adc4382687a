"""Columns of Arrow as models take text: codes and their dictionary.

Here belongs that one step, which executors of Spark take too: nothing slow is imported. Not here: what a model does with them
(`ml.columns`), other kinds of columns (`scored_rows`).
"""

from typing import Any

import numpy as np
import pyarrow as pa


def coded(column: Any) -> tuple[np.ndarray, list[str]]:
    """Codes of a column of texts, or of what is read as text, -1 where there is none; and their dictionary."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    return column.indices.fill_null(-1).to_numpy(zero_copy_only=False), column.dictionary.cast(pa.string()).to_pylist()
