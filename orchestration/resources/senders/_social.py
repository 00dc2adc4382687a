"""Meta's Send API, which Messenger and Instagram share: one text to a person who wrote to us, `POST /{account id}/messages`.

Here belongs the way from a delivery to that body. Not here: what tells the two apart (`messenger`, `instagram`), Meta's errors (`_graph`),
whether the window is open (`core.gate`).
"""

from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from core.actions import Delivery, Outcome
from orchestration.resources.senders._graph import post
from orchestration.resources.senders._tools import OneWay, SenderTools
from orchestration.resources.senders._words import ready, words


class SocialChannel(OneWay):
    """Sends from the tenant's own account of one of the two."""

    channel: ClassVar[str]
    point_kind: ClassVar[str]
    """The kind of contact point that is written to."""

    def __init__(self, tools: SenderTools, base_url: str) -> None:
        """Take client, look-ups and the API's address."""
        self._tools = tools
        self._base_url = base_url

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        way = ready(self._tools, delivery, (self.point_kind,), self.channel)
        if isinstance(way, Outcome):
            return way
        said = words(self._tools, delivery)
        if isinstance(said, Outcome):
            return said
        return post(self._tools, self._base_url, way, _body(said.text, way.contact.value, delivery.tag), _id)


def _body(text: str, contact: str, tag: str | None) -> dict[str, Any]:
    """An answer, or what a person wrote later and is tagged so."""
    kind: dict[str, Any] = {"messaging_type": "RESPONSE"} if tag is None else {"messaging_type": "MESSAGE_TAG", "tag": tag}
    return {"recipient": {"id": contact}, **kind, "message": {"text": text}}


class _Sent(Struct):
    message_id: str = ""


def _id(answer: bytes) -> str | None:
    """The id in the API's answer."""
    try:
        return msgspec.json.decode(answer, type=_Sent).message_id or None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
