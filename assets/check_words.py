"""What a test of the dbt project demands, and what it found, in words: dbt's own are a name and a number.

Here belongs one sentence a kind of test (`dbt_project/tests/generic`). Not here: how tests become checks (`assets.warehouse`).
"""

from collections.abc import Mapping
from typing import Any


def demands(test: Mapping[str, Any]) -> str:
    """Of a test as the manifest has it: what must be so.

    >>> demands({"test_metadata": {"name": "unique_grain", "kwargs": {"columns": ["tenant_id", "lead_id"]}}})
    'There is one row per `tenant_id`, `lead_id`, and none of these is empty.'
    """
    of = test["test_metadata"]["kwargs"]
    match test["test_metadata"]["name"]:
        case "unique_grain":
            return f"There is one row per {_named(of['columns'])}, and none of these is empty."
        case "not_null_columns":
            return f"No row is without {_named(of['columns'])}."
        case "accepted_sets":
            return "Only known values: " + "; ".join(f"`{column}` is {', '.join(values)}" for column, values in of["sets"].items()) + "."
        case "holds":
            return "There is no row." if of["condition"] == "false" else f"Of every row it holds: `{of['condition']}`."
        case "refers_to":
            return f"What {_named(of['columns'])} name is there, in {of['to']} by {_named(of['fields'])}."
        case "sums_to_zero":
            return f"`{of['column']}` sums to 0 for each {_named(of['group_by'])}."
        case other:
            return f"dbt's test {other}."


def found(test: Mapping[str, Any], rows: int) -> str:
    """What to say of its result.

    >>> found({"test_metadata": {"name": "holds", "kwargs": {"condition": "a < b"}}}, 3)
    '3 rows are not so: of every row it holds: `a < b`.'
    """
    said = demands(test)
    if rows:
        return f"{rows:,} {'row is' if rows == 1 else 'rows are'} not so: {said[0].lower()}{said[1:]}"
    return "every row is so"


def _named(columns: list[str]) -> str:
    return ", ".join(f"`{each}`" for each in columns)
