"""Dry runs: everything is decided, claimed and gated as ever, and nothing leaves.

Here belongs standing in front of the ways out. Not here: for whom a dry run stands (`action_desk`, the settings).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from core.action_ports import Sender, Senders
from core.actions import Delivery, Outcome
from orchestration.resources.action_desk import ActionDesk


class DrySenders(Mapping[str, Sender]):
    """The ways out, each behind a look whether a dry run of the action's kind stands; `is_dry` is one of everything."""

    def __init__(self, senders: Senders, desk: ActionDesk, *, is_dry: bool = False) -> None:
        """Take the real ways out and who knows of dry runs."""
        self._senders = senders
        self._desk = desk
        self._is_dry = is_dry

    def __getitem__(self, channel: str) -> Sender:
        """One way out."""
        return _DrySender(self._senders[channel], self._desk, is_dry=self._is_dry)

    def __iter__(self) -> Iterator[str]:
        """Channels."""
        return iter(self._senders)

    def __len__(self) -> int:
        """How many ways there are."""
        return len(self._senders)


class _DrySender:
    def __init__(self, sender: Sender, desk: ActionDesk, *, is_dry: bool) -> None:
        self._sender = sender
        self._desk = desk
        self._is_dry = is_dry

    def __getattr__(self, name: str) -> Any:
        """Whatever else a way out offers is its own."""
        return getattr(self._sender, name)

    def send(self, delivery: Delivery) -> Outcome:
        """Send, unless a dry run stands.

        One of the whole installation is for looking: the action stays requested. One of a tenant's kind may stand for weeks, and what it
        held back must not go out late and all at once when it ends: the action is cancelled.
        """
        action = delivery.action
        reason = f"dry run: it would have gone out by {action.channel}"
        if self._is_dry:
            return Outcome("requested", reason)
        if self._desk.is_dry(action.tenant_id, action.kind):
            return Outcome("cancelled", reason)
        return self._sender.send(delivery)
