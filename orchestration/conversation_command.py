"""`flexoraa conversation show`: the words of one conversation, for those who may read them, and never unseen.

Here belongs who may, in which order it is noted and opened. Not here: the command line (`access_cli`), how words are sealed (`core.rows`).
"""

import re
from typing import Any

from core.sealing import SealError, unseal
from orchestration.resources.access import Access, AccessError
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.clock import SystemClock
from orchestration.resources.engines import warehouse_of
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault

MAY_READ = ("operator", "manager", "admin")
ERASED, TAKEN_BACK = "(erased)", "(taken back by whoever wrote it)"
_ID = re.compile(r"[A-Za-z0-9_.:|-]{1,200}")
_MESSAGES = """
    select m.tenant_id, m.event_id, m.contact_point_id, m.sent_at, m.direction, m.author_type, m.person_id, m.message_type, m.status,
        max(l.text_enc) as text_enc, max(case when d.message_id is null then 0 else 1 end) as is_taken_back
    from marts.fct_messages m
    join lake.messages l on l.tenant_id = m.tenant_id and l.event_id = m.event_id
    left join lake.message_statuses d on d.tenant_id = m.tenant_id and d.message_id = m.message_id and d.status = 'deleted'
    where m.conversation_id = '{}'
    group by m.tenant_id, m.event_id, m.contact_point_id, m.sent_at, m.direction, m.author_type, m.person_id, m.message_type, m.status
    order by m.sent_at, m.event_id
"""
_SHOWN = ("sent_at", "direction", "author_type", "person_id", "message_type", "status")


def shown(settings: Settings, conversation: str, by: str) -> dict[str, Any]:
    """The conversation's messages with their words; that they were read, and by whom, is committed before anything is opened.

    Raises:
        AccessError: there is no such conversation, or this person may not read it; the attempt is in the log.
    """
    if not _ID.fullmatch(conversation):
        raise AccessError("that is no conversation's id: marts.fct_conversations has them")
    with open_state(settings) as state:
        vault = Vault(state, settings.master_key())
        rows = warehouse_of(settings, state.libpq_url).query(_MESSAGES.format(conversation)).to_pylist()
        if not rows:
            raise AccessError(f"there is no conversation {conversation!r}: marts.fct_conversations has their ids")
        (tenant_id,) = {row["tenant_id"] for row in rows}
        Access(state, vault).require(tenant_id, by, MAY_READ, "conversation", conversation, SystemClock().now())
        told = {"messages": len(rows), "by": machine_user()}
        PostgresAudit(state, vault).append(tenant_id, by, "conversation.read", conversation, told)
        texts = _opened(vault, tenant_id, rows)
    messages = [{name: row[name] for name in _SHOWN} | {"text": text} for row, text in zip(rows, texts, strict=True)]
    return {"tenant_id": tenant_id, "conversation_id": conversation, "messages": messages}


def _opened(vault: Vault, tenant_id: str, rows: list[dict[str, Any]]) -> list[str | None]:
    keys = vault.keys(tenant_id, {row["contact_point_id"] for row in rows})
    found: list[str | None] = []
    for row in rows:
        key, sealed = keys.get(row["contact_point_id"]), row["text_enc"]
        if row["is_taken_back"]:
            found.append(TAKEN_BACK)
        elif sealed is None or key is None:
            found.append(None if sealed is None else ERASED)
        else:
            try:
                found.append(unseal(key, sealed, f"{row['event_id']}:text_enc".encode()).decode())
            except SealError:  # told under another point of the same person, whose key is another one
                found.append("(cannot be opened)")
    return found
