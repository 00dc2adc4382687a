"""WhatsApp Cloud API: one template message, `POST /{phone_number_id}/messages`.

Here belongs the vendor's request and the id in its answer. The call takes no idempotency key, so an ambiguous failure stays unknown
until a person settles it. Not here: whether it may be sent.
"""

import json

import msgspec
from msgspec import Struct

from core.actions import Delivery, Outcome
from orchestration.resources.senders._http import SenderTools, try_once

CHANNEL = "whatsapp"


class _Sent(Struct):
    id: str


class _Answer(Struct):
    messages: list[_Sent]


class Channel:
    """Sends templates from the tenant's own number."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client, look-ups and the base address."""
        self._tools = tools

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        action = delivery.action
        contact = self._tools.lookup.contact(action.tenant_id, action.point_id or "")
        if contact is None:
            return Outcome("cancelled", "nobody is behind this contact point any more")
        token = self._tools.lookup.access_token(action.tenant_id, CHANNEL, action.account_id or "")
        if token is None:
            return Outcome("rejected", "the tenants file gives no access token for this number")
        to = {"to": contact.value.removeprefix("+")} if contact.kind == "phone" else {"recipient": contact.value}
        template = {"name": action.template_name, "language": {"code": "en"}}
        body = {"messaging_product": "whatsapp", **to, "type": "template", "template": template}
        body["biz_opaque_callback_data"] = action.action_id
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        url = f"{self._tools.whatsapp_url}/{action.account_id}/messages"
        outcome = try_once(self._tools.client, url, json.dumps(body).encode(), headers, _message_id)
        if outcome.state == "sent" and outcome.provider_id is None:
            return outcome._replace(state="unknown", reason="accepted, but the answer names no message")
        return outcome


def _message_id(answer: bytes) -> str | None:
    try:
        return msgspec.json.decode(answer, type=_Answer).messages[0].id or None
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
        return None
