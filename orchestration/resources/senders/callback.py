"""Signed callback to the operating system: what it must do at once, such as serving control.

Here belongs that request. Its form is that of the alerts (`_hook`), its address the tenant's destination of kind `callback`.
"""

from core.actions import Delivery, Outcome
from orchestration.resources.senders._hook import post
from orchestration.resources.senders._http import SenderTools

CHANNEL = "callback"


class Channel:
    """Sends to the destination of kind `callback`."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client and look-ups."""
        self._tools = tools

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        return post(self._tools, delivery, "callback")
