"""What others need of the audit log, as a Protocol.

Here belongs the seam. Not here: what an entry is (`core.audit`), nor any implementation (`orchestration.resources.audit`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from core.audit import Entry


class Audit(Protocol):
    """The append-only log, one chain a tenant; tenant '' is the installation."""

    def append(self, tenant_id: str, actor: str, action: str, subject: str, details: Mapping[str, Any]) -> Entry:
        """Add an entry; committed when it returns, unless the log was opened within a transaction.

        Args:
            tenant_id: whose chain.
            actor: who: an id of the tenant's people, a database role, a program of ours.
            action: a dotted name in the past, such as `erasure.approved` or `conversation.refused`.
            subject: of what, by surrogate or by a name of ours.
            details: JSON values without personal data: entries outlive an erasure.

        Raises:
            AuditError: it cannot become an entry.
        """
        ...

    def entries(self, tenant_id: str) -> Iterable[Entry]:
        """One tenant's chain from its first entry."""
        ...
