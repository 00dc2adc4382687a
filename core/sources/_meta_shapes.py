"""The shapes of single items of Messenger and Instagram messaging, as far as anything reads them.

Not here: what they mean (`_meta_items`).
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct, field

from core.events import Reject
from core.sources._common import Id, code, decode_json, identifier

_INBOX_APPS = frozenset({"263902037430900", "1217981644879628"})
"""Meta's own inboxes of pages and of Instagram: what they send, a person wrote."""


class QuickReply(Struct):
    """That a message is the press of a suggested answer."""


class Attachment(Struct):
    """One thing beside or instead of words."""

    type: str | None = None


class ReplyTo(Struct):
    """The message answered; a story that is answered has no `mid`."""

    mid: str | None = None


class Referral(Struct):
    """How somebody came: an ad, or a link with a word of ours."""

    ad_id: Id | None = None

    def ad(self) -> str | None:
        """The ad; a link's word is ours to define and may be anything, so it is not kept in the clear."""
        return identifier(self.ad_id)


class Sent(Struct):
    """`message`."""

    mid: str
    text: str | None = None
    is_echo: bool = False
    is_deleted: bool = False
    is_unsupported: bool = False
    app_id: Id | None = None
    quick_reply: QuickReply | None = None
    attachments: list[Attachment] | None = None
    reply_to: ReplyTo | None = None
    referral: Referral | None = None

    def kind(self) -> str:
        """A link that Messenger previews is a text with a `fallback` attachment."""
        first = next((code(each.type) for each in self.attachments or ()), None)
        if self.quick_reply is not None:
            return "quick_reply"
        if first is not None and not (first == "fallback" and self.text):
            return first
        return "text" if self.text else "unsupported" if self.is_unsupported else "unknown"

    def author(self, *, is_outbound: bool) -> Literal["lead", "human", "automation"]:
        """An echo of an app is automation, ours or another's (our own feed says which of ours); without an app a person wrote it."""
        if not is_outbound:
            return "lead"
        return "human" if self.app_id is None or str(self.app_id) in _INBOX_APPS else "automation"


_KEYS = msgspec.json.Decoder(dict[str, Raw])
_AROUND = frozenset(
    {"mid", "seq", "is_echo", "is_deleted", "app_id", "metadata", "reply_to", "referral", "traits", "tags", "nlp", "text", "attachments"}
)  # fmt: skip
_ATTACHMENTS = frozenset(
    {
        "audio", "file", "image", "video", "fallback", "template", "location", "share", "reel", "ig_reel", "post", "ig_post",
        "story_mention", "ig_story", "product", "appointment_booking", "sticker", "like_heart", "animated_image_share", "ephemeral",
        "media", "unsupported", "unsupported_type",
    }
)  # fmt: skip


def not_modelled(item: Sent, raw: Raw) -> str | None:
    """What to call a message with an attachment or a content of a type that nobody models: it says more than its event keeps."""
    if item.is_deleted:
        return None
    new = next((each.type for each in item.attachments or () if each.type and each.type not in _ATTACHMENTS), None)
    if new is not None:
        return f"message.{code(new)}"
    if item.kind() != "unknown":
        return None
    keys = decode_json(_KEYS, raw)
    return None if isinstance(keys, Reject) or keys.keys() <= _AROUND else "message.unknown"


class Edit(Struct):
    """`message_edit`."""

    mid: str
    text: str | None = None
    num_edit: Id | None = None


class Postback(Struct):
    """`postback`."""

    mid: str | None = None
    title: str | None = None
    referral: Referral | None = None


class Reaction(Struct):
    """`reaction`."""

    mid: str
    action: str = "react"
    emoji: str | None = None


class Receipt(Struct):
    """`read`, `delivery`: of one message, of several, or of all up to a time."""

    mid: str | None = None
    mids: list[str] | None = None
    watermark: Id | None = None


class Optin(Struct):
    """`optin`."""

    notification_messages_status: str | None = None


class Control(Struct):
    """`pass_thread_control` and its like."""

    new_owner_app_id: Id | None = None
    requested_owner_app_id: Id | None = None
    previous_owner_app_id: Id | None = None


class Policy(Struct):
    """`policy-enforcement`."""

    action: str | None = None


class Amount(Struct):
    """A price in major units."""

    currency: str
    amount: float | str


class Credential(Struct):
    """Who was charged."""

    charge_id: str | None = None


class Bought(Struct):
    """`payment`."""

    amount: Amount
    payment_credential: Credential = field(default_factory=Credential)
