"""The shape of a WhatsApp message, whichever of its types it is, and the words that a person would read in it.

Here belongs reading one message object. Not here: whose it is and what becomes of it (`_whatsapp_items`).
"""

import msgspec
from msgspec import Raw, Struct

from core.events import Reject
from core.sources._common import Int, code, decode_json


class _Text(Struct, gc=False):
    body: str | None = None


class _Media(Struct):
    caption: str | None = None


class _Button(Struct):
    text: str | None = None


class _Reply(Struct):
    title: str | None = None
    body: str | None = None


class _Interactive(Struct):
    type: str | None = None
    button_reply: _Reply | None = None
    list_reply: _Reply | None = None
    nfm_reply: _Reply | None = None

    def is_new(self) -> bool:
        """Whether it is a reply of a kind that nobody models."""
        return self.type is not None and not (self.button_reply or self.list_reply or self.nfm_reply)


class _Reaction(Struct):
    message_id: str | None = None
    emoji: str | None = None


class _Original(Struct):
    original_message_id: str | None = None


class _Changed(Struct):
    text: _Text | None = None
    image: _Media | None = None
    video: _Media | None = None
    document: _Media | None = None


class _Edit(_Original):
    message: _Changed | None = None


class System(Struct):
    """What WhatsApp says of the sender."""

    type: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None
    user_id: str | None = None


class _Order(Struct):
    text: str | None = None


class _Context(Struct):
    id: str | None = None


class _Referral(Struct):
    source_id: str | None = None


class _Location(Struct):
    name: str | None = None


class Item(Struct, rename={"sender": "from"}, gc=False):
    """One message, inbound or echoed."""

    id: str
    timestamp: str | Int
    sender: str | None = None
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    type: str | None = None
    text: _Text | None = None
    button: _Button | None = None
    interactive: _Interactive | None = None
    image: _Media | None = None
    video: _Media | None = None
    document: _Media | None = None
    reaction: _Reaction | None = None
    revoke: _Original | None = None
    edit: _Edit | None = None
    system: System | None = None
    context: _Context | None = None
    referral: _Referral | None = None
    location: _Location | None = None
    order: _Order | None = None

    def kind(self) -> str:
        """The stated type; a body without one is told by what it holds."""
        if self.type:
            return code(self.type, "unknown")
        return next((name for name in _HELD if getattr(self, name) is not None), "unknown")

    def words(self) -> str | None:
        """The text that a person would read, whatever the type."""
        told = (self.edit and self.edit.message) or self
        if told.text is not None and told.text.body:
            return told.text.body
        reply = self.interactive and (self.interactive.button_reply or self.interactive.list_reply or self.interactive.nfm_reply)
        media = told.image or told.video or told.document
        return (
            (self.button and self.button.text)
            or (reply and (reply.title or reply.body))
            or (media and media.caption)
            or (self.reaction and self.reaction.emoji)
            or (self.order and self.order.text)
            or None
        )

    def about(self) -> str | None:
        """The id of the message that this one answers, reacts to, changes or takes back."""
        return (
            (self.context and self.context.id)
            or (self.reaction and self.reaction.message_id)
            or (self.revoke and self.revoke.original_message_id)
            or (self.edit and self.edit.original_message_id)
            or None
        )

    def may_be_new(self) -> bool:
        """Whether only `not_modelled` can tell; asked of what is not of `PLAIN_TYPES`."""
        if not self.type:
            return self.kind() == "unknown"
        return self.type != "interactive" or (self.interactive is not None and self.interactive.is_new())


MESSAGE = msgspec.json.Decoder(Item)
_KEYS = msgspec.json.Decoder(dict[str, Raw])
_HELD = "text", "button", "interactive", "image", "video", "document", "reaction", "location", "order"
_AROUND = frozenset(
    {
        "id", "timestamp", "type", "from", "from_user_id", "from_parent_user_id", "to", "to_user_id", "to_parent_user_id", "group_id",
        "context", "referral", "errors",
    }
)  # fmt: skip

PLAIN_TYPES = frozenset(
    {
        "text", "button", "image", "video", "document", "audio", "sticker", "location", "contacts", "reaction", "order", "edit", "revoke",
        "request_welcome", "unsupported", "unknown",
    }
)  # fmt: skip
"""Types that are all said by a message. `unsupported` and `unknown` are WhatsApp's own words for what it does not pass on: such an item
holds an error and nothing that anybody wrote, so there is nothing to keep of it."""


def not_modelled(item: Item, raw: Raw) -> str | None:
    """What to call an item of a type that nobody models, so that more was said than the message keeps; None for all others.

    Also an interactive reply of a new kind, and an item that states no type and holds something new.
    """
    if item.type in PLAIN_TYPES or not item.may_be_new():
        return None
    if item.type:
        return f"interactive.{code(item.interactive.type)}" if item.interactive and item.type == "interactive" else code(item.type)
    keys = decode_json(_KEYS, raw)
    return None if isinstance(keys, Reject) or keys.keys() <= _AROUND else "unknown"
