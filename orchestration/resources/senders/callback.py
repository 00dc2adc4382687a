"""Signed callback to the operating system: what it must do, at once or for us.

Here belongs that request. Its form is that of the alerts (`_hook`), its address the tenant's destinations of kind `callback`, who
promise to drop what they have seen: so what may have happened is asked for again.
"""

from collections.abc import Sequence

from core.actions import Delivery, Outcome, Way
from orchestration.resources.senders._hook import post
from orchestration.resources.senders._tools import SenderTools

CHANNEL = "callback"


class Channel:
    """Sends to the destinations of kind `callback`."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client and look-ups."""
        self._tools = tools

    def ways(self, delivery: Delivery) -> Sequence[Way]:
        """Every destination of the kind."""
        if delivery.target is not None:
            return []
        return [Way(CHANNEL, each.destination_id) for each in self._tools.lookup.destinations(delivery.action.tenant_id, CHANNEL)]

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        return post(self._tools, delivery, CHANNEL)
