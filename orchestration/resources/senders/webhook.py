"""Signed webhook to the tenant's own addresses: alerts, top-up wishes; mail where the address is one.

Here belongs that way; its form is in `_hook`. What only the operating system can do is turned over to its `callback`, where the tenant has
one. Not here: whom to alert.
"""

from collections.abc import Sequence

from core.actions import ANNOUNCED, COMMANDS, Delivery, Outcome, Way
from orchestration.resources.senders import callback
from orchestration.resources.senders._hook import post
from orchestration.resources.senders._links import payment_link
from orchestration.resources.senders._tools import SenderTools

CHANNEL = "webhook"
_ALERTS = "alerts"


class Channel:
    """Sends alerts to the destinations of kind `alerts`."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client and look-ups."""
        self._tools = tools

    def ways(self, delivery: Delivery) -> Sequence[Way]:
        """Every destination for it: of kind `callback` for a command; `alerts` for all else, where there is none, and to tell people."""
        action = delivery.action
        if delivery.target is not None:
            return []
        called = self._tools.lookup.destinations(action.tenant_id, callback.CHANNEL) if action.kind in COMMANDS else []
        told = [] if called and action.kind not in ANNOUNCED else self._tools.lookup.destinations(action.tenant_id, _ALERTS)
        return [Way(callback.CHANNEL, each.destination_id) for each in called] + [Way(CHANNEL, each.destination_id) for each in told]

    def send(self, delivery: Delivery) -> Outcome:
        """Try once; a wish for a top-up brings its payment link, where the tenant's Razorpay account can make one."""
        link = payment_link(self._tools, delivery.action) if delivery.action.kind == "top_up_link" else None
        if isinstance(link, Outcome):
            return link
        return post(self._tools, delivery, _ALERTS, {"payment_link": link} if link else None)
