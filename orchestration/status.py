"""`flexoraa status`: what is held, what waits, what was refused, what was sent.

Here belongs reading the state and showing it. Not here: changing anything.
"""

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assets.breaker import shown
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.warehouse import WarehouseError


def print_status(settings: Settings, *, as_json: bool) -> None:
    """Print it for a person, or as JSON."""
    with open_platform(settings) as platform:
        status = _status(platform)
    if as_json:
        print(json.dumps(status, indent=2, default=str))
        return
    console = Console()
    waiting = f"{status['waiting_segments']} segments wait in the inbox"
    console.print(f"home {status['home']} · engine {status['engine']} · {waiting}", markup=False)
    if status["warehouse"] != "ready":
        console.print(status["warehouse"], markup=False)
    _show(console, "Conservation (events)", ("source", "received", "accepted", "duplicate", "rejected"),
          [(source, *counts.values()) for source, counts in status["conservation"].items()])  # fmt: skip
    _show(console, "Unmodelled (accepted, kept until a decoder knows them)", ("source", "kind", "events"),
          [tuple(row.values()) for row in status["unmodelled"]])  # fmt: skip
    _show(console, "Quarantine", ("reason", "held"), list(status["quarantine"].items()))
    _show(console, "Quarantine ever", ("state", "entries"), list(status["quarantine_states"].items()))
    _show(console, "Segments held whole (flexoraa quarantine list)", ("segment", "file", "state", "since", "why"),
          [(each["segment_id"][:16], each["name"], each["state"], each["held_at"], shown(each["verdicts"]))
           for each in status["held_segments"]])  # fmt: skip
    _show(console, "Actions", ("tenant", "rule", "state", "count"), [tuple(row.values()) for row in status["actions"]])
    _show(console, "Marts", ("mart", "rows"), list(status["marts"].items()))


def _status(platform: Platform) -> dict:  # type: ignore[type-arg]  # JSON
    try:
        marts, warehouse = platform.warehouse.row_counts(), "ready"
    except WarehouseError as error:  # none yet, or a run is writing it: the state and the lake still have their part to tell
        marts, warehouse = {}, str(error)
    return {
        "home": str(platform.settings.home),
        "engine": platform.settings.engine,
        "warehouse": warehouse,
        "waiting_segments": len(platform.inbox.names()),
        "conservation": platform.warehouse.conservation(platform.ledger.counts()),
        "unmodelled": [
            {"source": source, "kind": kind, "events": events} for (source, kind), events in platform.warehouse.unmodelled().items()
        ],
        "quarantine": dict(platform.ledger.refusals()),
        "quarantine_states": platform.quarantine.states(),
        "held_segments": [each._asdict() for each in platform.ledger.held()],
        "actions": [
            {"tenant": tenant, "rule": rule, "state": state, "count": count}
            for (tenant, rule, state), count in platform.outbox.counts().items()
        ],
        "marts": marts,
    }


def _show(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple]) -> None:  # type: ignore[type-arg]
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    if rows:
        console.print(table)
    else:
        console.print(f"{title}: nothing yet")
