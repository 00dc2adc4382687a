"""Instagram's Send API: one text to a person who wrote to our account, `POST /{account id}/messages`.

Here belongs that way; the body is in `_graph`, since Messenger and Instagram take the same. Not here: whether the window is open.
"""

from core.actions import Delivery, Outcome
from orchestration.resources.senders._graph import post, social, social_id
from orchestration.resources.senders._tools import OneWay, SenderTools
from orchestration.resources.senders._words import ready, words

CHANNEL = "instagram"


class Channel(OneWay):
    """Sends from the tenant's own account."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client, look-ups and the base address."""
        self._tools = tools

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        way = ready(self._tools, delivery, ("igsid",), CHANNEL)
        if isinstance(way, Outcome):
            return way
        said = words(self._tools, delivery)
        if isinstance(said, Outcome):
            return said
        body = social({"text": said.text}, way.contact.value, delivery.tag)
        return post(self._tools, self._tools.instagram_url, way, body, social_id)
