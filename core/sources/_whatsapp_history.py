"""WhatsApp's coexistence webhooks that look back: chats of before we were connected, and the address book of the phone app.

Here belongs taking such a body apart, so that each thread and each contact is kept alone, under the person whom it names; what they say is
not modelled. Not here: messages that a person of ours sends from the app from then on (`smb_message_echoes`, in `_whatsapp_items`).
"""

from datetime import datetime

import msgspec
from msgspec import Raw, Struct, field

from core.sources._common import Id, code, decode_json, epoch, within
from core.sources._whatsapp_scope import Scope, Told, Unknown, phone, point


class _Timed(Struct):
    timestamp: Id | None = None


class _Context(Struct):
    wa_id: str | None = None
    user_id: str | None = None


class _Thread(Struct):
    id: str | None = None
    context: _Context = field(default_factory=_Context)
    messages: list[_Timed] = field(default_factory=list)

    def latest(self) -> datetime | None:
        """When its newest message was sent."""
        return max((at for each in self.messages if (at := epoch(each.timestamp))), default=None)


class _Chunk(Struct):
    threads: list[Raw] = field(default_factory=list)
    metadata: dict[str, Id | None] = field(default_factory=dict)


class _Contact(Struct):
    phone_number: str | None = None
    user_id: str | None = None


class _Sync(Struct):
    type: str | None = None
    contact: _Contact = field(default_factory=_Contact)
    metadata: _Timed = field(default_factory=_Timed)


_CHUNK = msgspec.json.Decoder(_Chunk)
_THREAD = msgspec.json.Decoder(_Thread)
_SYNC = msgspec.json.Decoder(_Sync)


def history(scope: Scope, raw: Raw, place: str) -> Told:
    """One chunk of up to 180 days of chats, a thread at a time; a chunk without threads says that nobody wanted to share them."""
    chunk = decode_json(_CHUNK, raw, scope.account_id)
    if not isinstance(chunk, _Chunk):
        yield within(chunk, place)
        return
    for n, each in enumerate(chunk.threads):
        thread = decode_json(_THREAD, each, scope.account_id)
        if not isinstance(thread, _Thread):
            yield within(thread, f"{place}.threads[{n}]")
            continue
        whose = phone(thread.id) if thread.id else point(thread.context.wa_id, thread.context.user_id)
        alone = msgspec.json.encode({"metadata": chunk.metadata, "threads": [each]})
        yield Unknown("history.thread", whose, thread.latest(), Raw(alone))
    if not chunk.threads:
        yield Unknown("history")


def state_sync(scope: Scope, raw: Raw, place: str) -> Told:
    """One contact of the phone app's address book: that it was added, changed or removed there."""
    item = decode_json(_SYNC, raw, scope.account_id)
    if not isinstance(item, _Sync):
        yield within(item, place)
        return
    number = "".join(each for each in item.contact.phone_number or "" if each.isdigit())
    kind = f"smb_app_state_sync.{code(item.type)}"
    yield Unknown(kind, point(number, item.contact.user_id), epoch(item.metadata.timestamp))
