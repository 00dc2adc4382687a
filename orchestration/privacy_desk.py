"""The port `core.privacy_ports.Privacy`: the office and the execution of an open installation, for Dagster.

Here belongs that adapter, which imports erasing and verifying only when they are asked for. Not here: any rule.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.action_ports import Outbox
from core.ports import Lake
from core.privacy import SYSTEM
from orchestration.privacy_office import Office

if TYPE_CHECKING:
    from orchestration.resources.platform import Platform


class PrivacyDesk:
    """What assets and sensors ask."""

    def __init__(self, platform: "Platform", office: Office) -> None:
        """Take the installation and its office."""
        self._platform = platform
        self._office = office

    def take_feed(self, lake: Lake) -> int:
        """Note the requests that the feed told of."""
        return self._office.take_feed(lake)

    def waiting(self) -> Sequence[str]:
        """Approved erasures, and those that a run left: begun, or verified with a hit."""
        found = self._office.requests.all(states=["approved", "running", "verifying"])
        return [each.request_id for each in found if each.kind == "erasure"]

    def execute(self, request_ids: Collection[str]) -> Sequence[Mapping[str, Any]]:
        """Execute them, or go on."""
        from orchestration.gdpr_command import execution_of

        done = execution_of(self._platform).run(request_ids, SYSTEM)
        return [
            {"request_id": each.request_id, "tenant_id": each.tenant_id, "state": each.state, "hits": each.hits, "refused": each.code}
            for each in done
        ]

    def warn(self, outbox: Outbox) -> int:
        """What the clock has to say."""
        return self._office.warn(outbox)

    def counts(self) -> Mapping[str, int]:
        """By state, and `overdue`."""
        now = self._office.clock.now()
        found = self._office.requests.all()
        overdue = sum(each.closed_at is None and each.due_at <= now for each in found)
        return Counter(each.state for each in found) | {"overdue": overdue}
