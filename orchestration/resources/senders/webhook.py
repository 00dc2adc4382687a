"""Signed webhook to the tenant's own address: alerts, top-up wishes, pauses.

Here belongs that way; its form is in `_hook`. Not here: whom to alert.
"""

from core.actions import Delivery, Outcome
from orchestration.resources.senders._hook import post
from orchestration.resources.senders._http import SenderTools

CHANNEL = "webhook"


class Channel:
    """Sends alerts to the destination of kind `alerts`."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client and look-ups."""
        self._tools = tools

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        return post(self._tools, delivery, "alerts")
