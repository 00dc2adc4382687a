"""WhatsApp Cloud API: one template or text message, `POST /{phone_number_id}/messages`.

Here belongs the vendor's request and the id in its answer. The action's id goes along as `biz_opaque_callback_data`, and every status
webhook brings it back: that settles what was unknown. Not here: whether it may be sent.
"""

import json
from typing import Any

import msgspec
from msgspec import Struct

from core.actions import Delivery, Outcome
from core.gate import is_template
from orchestration.resources.senders._graph import post
from orchestration.resources.senders._tools import OneWay, SenderTools
from orchestration.resources.senders._words import ready, words

CHANNEL = "whatsapp"


class _Sent(Struct):
    id: str


class _Answer(Struct):
    messages: list[_Sent]


class Channel(OneWay):
    """Sends from the tenant's own number."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client, look-ups and the base address."""
        self._tools = tools

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        way = ready(self._tools, delivery, ("phone", "wa_user_id"), CHANNEL)
        if isinstance(way, Outcome):
            return way
        said = self._template(delivery) if is_template(delivery.action) else self._text(delivery)
        if isinstance(said, Outcome):
            return said
        to = {"to": way.contact.value.removeprefix("+")} if way.contact.kind == "phone" else {"recipient": way.contact.value}
        body = {"messaging_product": "whatsapp", **to, **said, "biz_opaque_callback_data": delivery.action.action_id}
        return post(self._tools, self._tools.whatsapp_url, way, body, _message_id)

    def _template(self, delivery: Delivery) -> dict[str, Any]:
        """`details` may say its language and, as `parameters`, the words of its body."""
        action = delivery.action
        details = json.loads(action.details)
        language = details.get("language") or self._tools.lookup.section(action.tenant_id, "sending").get("template_language") or "en"
        template: dict[str, Any] = {"name": action.template_name, "language": {"code": language}}
        if details.get("parameters"):
            template["components"] = [
                {"type": "body", "parameters": [{"type": "text", "text": str(each)} for each in details["parameters"]]}
            ]
        return {"type": "template", "template": template}

    def _text(self, delivery: Delivery) -> dict[str, Any] | Outcome:
        said = words(self._tools, delivery)
        return said if isinstance(said, Outcome) else {"type": "text", "text": {"body": said.text, "preview_url": "http" in said.text}}


def _message_id(answer: bytes) -> str | None:
    try:
        return msgspec.json.decode(answer, type=_Answer).messages[0].id or None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return None
