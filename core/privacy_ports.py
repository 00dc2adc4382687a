"""What assets and sensors need of the privacy desk, as a Protocol.

Here belongs the seam. Not here: any rule (`core.privacy`), nor who stands behind it (`orchestration.privacy_desk`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from core.action_ports import Outbox
from core.ports import Lake


class Privacy(Protocol):
    """Requests of people about their own data."""

    def take_feed(self, lake: Lake) -> int:
        """Note the requests that the operating system's feed told of; how many are new."""
        ...

    def waiting(self) -> Sequence[str]:
        """Ids of approved erasures, and of those that a run left half done."""
        ...

    def execute(self, request_ids: Collection[str]) -> Sequence[Mapping[str, Any]]:
        """Execute them, or go on; each with its state and what was found."""
        ...

    def warn(self, outbox: Outbox) -> int:
        """Put in the outbox what the clock has to say of open requests; how much of it is new."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many requests are in each state, and how many are overdue."""
        ...
