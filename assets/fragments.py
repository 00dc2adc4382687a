"""Fragments of events that nobody modelled when they came, decoded with the decoders of today.

Here belongs opening and decoding one. Not here: which are tried, and what becomes of their rows (`assets.remodel`).
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from assets.retrying import Again, Tools
from core.events import Reject, Unmodelled
from core.intake import Accepted, Account, completed
from core.points import normalise
from core.quarantine import UnmodelledRow
from core.rows import points_of
from core.sealing import unseal
from core.sources import sources


class _Fragment(Struct):
    headers: dict[str, str]
    body: str


_DECODER = msgspec.json.Decoder(_Fragment)


def opened(rows: list[UnmodelledRow], tools: Tools) -> list[bytes | None]:
    """What their fragments hold; None where the key is erased."""
    wanted: dict[str, set[str]] = {}
    for row in rows:
        if row.contact_point_id is not None:
            wanted.setdefault(row.tenant_id, set()).add(row.contact_point_id)
    points: Mapping[str, Mapping[str, bytes]] = {tenant: tools.vault.keys(tenant, ids) for tenant, ids in wanted.items()}
    found: list[bytes | None] = []
    for row in rows:
        if row.contact_point_id is None:
            key: bytes | None = tools.vault.tenant_key(row.tenant_id, "fragment")
        else:
            key = points[row.tenant_id].get(row.contact_point_id)
        found.append(None if key is None else unseal(key, row.fragment_enc, f"{row.event_id}:fragment_enc".encode()))
    return found


def decoded(row: UnmodelledRow, fragment: bytes | None, tools: Tools) -> list[Again] | str:
    """The events that it is now, or why it stays what it is: a reason, or `unmodelled`."""
    if fragment is None:
        return "erased"
    account = _account(row, tools)
    source = sources().get(row.source)
    if account is None or source is None:
        return "unknown_account"
    content = _DECODER.decode(fragment)
    found = []
    for item in source.decode(content.body.encode(), content.headers):
        if isinstance(item, Unmodelled):
            return "unmodelled"
        if isinstance(item, Reject):
            return item.reason
        names = [normalise(point, account.region) for point in points_of(item)]
        wrong = next((name.reason for name in names if isinstance(name, Reject)), None)
        if wrong is not None:
            return wrong
        event = completed(item, item.account_id or row.account_id, row.received_at)
        found.append(Again(row.received_at, row.body_hash, Accepted(account, event)))
    return found


def _account(row: UnmodelledRow, tools: Tools) -> Account | None:
    """Whose it is, and the region by which numbers are read: it was authentic when it came, so any connection of the tenant tells."""
    accounts = tools.directory.accounts
    own = accounts.get((row.source, row.account_id), ()), *accounts.values()
    return next((account for each in own for account in each if account.tenant_id == row.tenant_id), None)
