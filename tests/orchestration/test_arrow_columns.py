"""Columns laid out as Arrow by hand are those that Arrow's own builder makes, and need none of what is slow to import."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.columns import ColumnType, columns
from core.events import MessageStatus
from core.reference import TokenThreshold
from orchestration.resources.arrow import TYPES, table_of
from orchestration.resources.arrow_columns import array_of
from tests.assets.rooms import ROOT

ONE: dict[ColumnType, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=5) | st.just("same") | st.text(st.characters(codec="ascii"), max_size=40),
    "binary": st.binary(max_size=40),
    "int": st.integers(-(2**63), 2**63 - 1) | st.just(1),
    "time": st.integers(-(2**55), 2**55),
}
COLUMNS = st.sampled_from(sorted(ONE)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.lists(ONE[kind] | st.none(), max_size=30)
        | st.lists(ONE[kind], max_size=30)
        | st.tuples(ONE[kind] | st.none(), st.integers(1, 300)).map(lambda each: [each[0]] * each[1]),
    )
)


@settings(deadline=None)  # the builder imports pandas first
@given(COLUMNS)
@example(("text", ["é"] * 9))
@example(("text", ["", None, "\0", "नमस्ते"]))
@example(("binary", [b""] * 3))
@example(("int", [None] * 9))
def test_an_array_holds_what_arrows_own_builder_makes_of_the_values(given: tuple[ColumnType, list[Any]]) -> None:
    kind, values = given
    found = array_of(kind, TYPES[kind], values)
    if found is None:
        assert not values
        return
    found.validate(full=True)
    wanted = pa.array(values, TYPES[kind])
    assert found.equals(wanted)
    assert found.null_count == wanted.null_count
    if kind == "text" and len(values) > 1:
        assert found[1:].equals(wanted[1:])


def test_a_number_that_no_column_can_hold_is_an_error_and_no_other_number() -> None:
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            array_of("int", pa.int64(), [value, 1])


def test_a_row_without_what_it_must_have_is_refused_with_the_columns_name() -> None:
    values: dict[str, list[Any]] = {
        each.name: [None if each.nullable else {"text": "x", "int": 1, "time": 1}[each.type]] for each in columns(MessageStatus)
    }
    assert table_of(MessageStatus, values).num_rows == 1
    with pytest.raises(ValueError, match="status has rows without a value"):
        table_of(MessageStatus, values | {"status": [None]})


def test_moments_of_reference_rows_are_kept_as_they_are() -> None:
    at = datetime(2026, 3, 1, 8, 0, 0, 1, tzinfo=UTC)
    kinds = {"tenant_id": ["t"], "valid_from": [at], "valid_to": [None], "percent": [20], "action": ["alert"]}
    assert table_of(TokenThreshold, kinds).to_pylist() == [{name: column[0] for name, column in kinds.items()}]
    assert table_of(TokenThreshold, {}).num_rows == 0


def test_taking_in_imports_neither_pandas_nor_polars() -> None:
    """They cost a worker 2 s of CPU, the work of 80,000 webhooks."""
    code = """
import sys, tempfile
from pathlib import Path
import orchestration.resources.intake_worker
from core.columns import columns
from core.events import Message
from orchestration.resources.lake import FolderLake
lake = FolderLake(Path(tempfile.mkdtemp()))
kinds = {"text": ["x", "y"], "time": [1, 86_400_000_000], "int": [1, 1], "binary": [b"x", None]}
with lake.replace("ab" * 32) as writer:
    writer.add(Message, {each.name: kinds[each.type] for each in columns(Message)})
print(len(list(lake.folder.rglob("*.parquet"))), {"pandas", "polars"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "2 set()"
