"""Messenger's side of Meta's Send API: its address, and whom it writes to.

Here belong those. Not here: the body and the answer, which are the same for Messenger and Instagram (`_social`).
"""

from orchestration.resources.senders._social import SocialChannel
from orchestration.resources.senders._tools import SenderTools

CHANNEL = "messenger"


class Channel(SocialChannel):
    """Sends from the tenant's own page."""

    channel, point_kind = CHANNEL, "psid"

    def __init__(self, tools: SenderTools) -> None:
        """Take client, look-ups and the base address."""
        super().__init__(tools, tools.messenger_url)
