"""Segments that are held whole: put aside when too much of them is broken, tried again when something has changed.

Here belongs the order of steps over the ports. Not here: the rule (`core.breaker`), taking in (`assets.intake`).
"""

from collections.abc import Callable
from typing import Any

from core.breaker import Tripped, is_telling
from core.events import Reject
from core.intake import Accepted, Directory, Rejected, read_line, take
from core.ports import Inbox, Ledger, Line, Segment


def put_back(inbox: Inbox, ledger: Ledger) -> str:
    """Make pending again what was released, or tried with other connections or decoders; returns the circumstances of today."""
    today = ledger.circumstances()
    for each in ledger.to_try(today):
        inbox.put_back(each.segment_id)
    return today


def hold(inbox: Inbox, ledger: Ledger, segment: Segment, tripped: Tripped, directory: Directory, tried_with: str) -> Segment | None:
    """Put aside what is broken; returns a pending segment with what is of others, if there is any.

    A collector's segment holds every tenant's webhooks of some seconds. The lines of the tripped shares go into a segment of their own, so
    that no tenant is held for what another one sends.
    """
    parts = inbox.split(segment, _is_of(tripped, directory))
    broken, rest = parts if parts is not None else (segment, None)
    ledger.hold(broken, [each._asdict() for each in tripped.verdicts], tried_with)
    inbox.hold(broken)
    return rest


def _is_of(tripped: Tripped, directory: Directory) -> Callable[[Line], bool]:
    shares = {(each.tenant_id, each.source) for each in tripped.verdicts}

    def is_of(line: Line) -> bool:
        envelope = read_line(line.raw)
        if isinstance(envelope, Reject):
            return False
        return any(_share(what) in shares for what in take(envelope, directory))

    return is_of


def _share(what: Accepted | Rejected) -> tuple[str, str] | None:
    if isinstance(what, Accepted):
        return what.account.tenant_id, what.event.source
    return (what.tenant_id, what.source) if is_telling(what.tenant_id, what.reject.reason) else None


def shown(verdicts: Any) -> str:
    """Verdicts in a line.

    >>> shown([{"tenant_id": "acme", "source": "whatsapp", "received": 50, "rejected": 40, "reasons": {"bad_shape": 40}}])
    'acme whatsapp: 40 of 50 (bad_shape 40)'
    """
    return "; ".join(
        f"{each['tenant_id']} {each['source']}: {each['rejected']} of {each['received']} "
        f"({', '.join(f'{reason} {count}' for reason, count in each['reasons'].items())})"
        for each in verdicts
    )
