"""Rows of the conformance table: what one body gives, as text that a person can compare with the body.

Here belongs how an event is written down. `python -m tests.conformance.table DIRECTORY` prints a draft of the whole table; the table itself
(`events.tsv`) is kept by hand, each row compared with its body. Not here: the comparison (`test_conformance.py`).
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from core.events import UNTOLD, Event, Point, Reject
from core.points import normalise
from core.rows import points_of
from core.sources import sources

COLUMNS = ("file", "index", "table", "kind", "occurred_at", "direction", "contact", "amount", "event_id", "rest", "taken")

_TOLD = {
    "source", "account_id", "event_id", "occurred_at", "kind", "message_type", "status", "contact", "direction", "amount_minor", "currency",
    "text", "name", "fragment", "answers", "reason", "channel", "channel_account_id",
}  # fmt: skip
"""Fields that have a column of their own, or whose text is a person's."""


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Every row of one body, in its order."""
    for index, item in enumerate(sources()[path.parent.name].decode(path.read_bytes(), {})):
        head = {"file": f"{path.parent.name}/{path.stem}", "index": str(index)}
        yield head | (_reject(item) if isinstance(item, Reject) else _event(item))


def _reject(item: Reject) -> dict[str, str]:
    told = dict.fromkeys(COLUMNS[2:], "")
    return told | {"table": "reject", "kind": item.reason, "rest": item.where}


def _event(item: Event) -> dict[str, str]:
    rest = {name: getattr(item, name) for name in item.__struct_fields__ if name not in _TOLD}
    bad = any(isinstance(normalise(each, "IN"), Reject) for each in points_of(item))
    words = [name for name in ("text", "name", "answers", "reason", "fragment") if getattr(item, name, None)]
    return {
        "table": item.table,
        "kind": next(getattr(item, name) for name in ("kind", "message_type", "status") if hasattr(item, name)),
        "occurred_at": _text(item.occurred_at),
        "direction": getattr(item, "direction", ""),
        "contact": _text(getattr(item, "contact", None)),
        "amount": f"{item.amount_minor} {item.currency}" if hasattr(item, "amount_minor") else "",
        "event_id": item.event_id,
        "rest": " ".join([f"account={item.account_id}", *(f"{n}={_text(v)}" for n, v in rest.items() if v is not None), *words]),
        "taken": "bad_contact" if bad else "ok",
    }


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return "untold" if value == UNTOLD else value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Point):
        return f"{value.kind}:{value.value}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    print("\t".join(COLUMNS))
    for path in sorted(Path(sys.argv[1]).glob("*/*.json")):
        for row in rows(path):
            print("\t".join(row[name] for name in COLUMNS))
