"""Single items of Messenger and Instagram messaging: one function a key, from its shape to canonical events.

Here belongs what a message, reaction, postback, read receipt … says. Not here: the envelope (`_meta`), their shapes (`_meta_shapes`),
changes to pages and media (`_meta_changes`).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from core.events import AccountEvent, ContactEvent, Message, MessageStatus, Payment, Reject
from core.sources._common import code, decode_json, digest, identifier, moment, within
from core.sources._currency import minor
from core.sources._meta_scope import About, Head, Scope, Told
from core.sources._meta_shapes import Bought, Control, Edit, Optin, Policy, Postback, Reaction, Receipt, Referral, Sent, not_modelled


def _message(about: About, item: Sent) -> Told:
    if item.is_deleted:
        own = f"{item.mid}:deleted"
        yield MessageStatus(**about.common(own), message_id=about.message_id(item.mid), contact=about.contact, status="deleted")
        return
    yield Message(
        **about.sent(item.mid),
        author_type=item.author(is_outbound=about.is_outbound),
        message_type=item.kind(),
        text=item.text or None,
        reply_to_message_id=about.message_id(item.reply_to.mid) if item.reply_to else None,
        referral_id=item.referral.ad() if item.referral else None,
    )


def _edit(about: About, item: Edit) -> Told:
    """The new words; the message whose words they replace is named as the one that this answers."""
    yield Message(
        **about.sent(f"{item.mid}:edit:{item.num_edit or about.digest}"),
        author_type="human" if about.is_outbound else "lead",
        message_type="edit",
        text=item.text or None,
        reply_to_message_id=about.message_id(item.mid),
    )


def _reaction(about: About, item: Reaction) -> Told:
    """As WhatsApp's: the emoji is the text, and one that is taken back has none."""
    yield Message(
        **about.sent(f"reaction:{item.mid}:{about.who()}:{item.action}:{about.stamp}"),
        author_type="human" if about.is_outbound else "lead",
        message_type="reaction",
        text=(item.emoji or None) if item.action == "react" else None,
        reply_to_message_id=about.message_id(item.mid),
    )


def _postback(about: About, item: Postback) -> Told:
    """A button of ours that was pressed; its title is what the person read."""
    yield Message(
        **about.sent(item.mid or about.unnamed("postback")),
        author_type="lead",
        message_type="postback",
        text=item.title or None,
        referral_id=item.referral.ad() if item.referral else None,
    )


def _referral(about: About, item: Referral) -> Told:
    """A link or ad that led a contact back into the thread; it opens the window as a message does."""
    yield Message(**about.sent(about.unnamed("referral")), author_type="lead", message_type="referral", referral_id=item.ad())


def _receipt(status: Literal["read", "delivered"]) -> Callable[[About, Receipt], Told]:
    def receipt(about: About, item: Receipt) -> Told:
        mids = [item.mid] if item.mid else item.mids or []
        for mid in mids:
            own = f"{mid}:{status}:{about.who()}"
            yield MessageStatus(**about.common(own), message_id=about.message_id(mid), contact=about.contact, status=status)
        watermark_at = moment(item.watermark)
        if not mids and watermark_at is None:
            yield Reject("bad_time", "$.watermark", f"neither a message nor a time says what was {status}", about.scope.account_id)
        elif not mids:
            own = f"{status}:{about.who()}:{item.watermark}"
            yield MessageStatus(**about.common(own), contact=about.contact, status=status, watermark_at=watermark_at)

    return receipt


def _optin(about: About, item: Optin) -> Told:
    stopped = (item.notification_messages_status or "").upper().startswith("STOP")
    yield _contact_event(about, "opted_out" if stopped else "opted_in")


def _control(kind: str) -> Callable[[About, Control], Told]:
    def control(about: About, item: Control) -> Told:
        app = item.new_owner_app_id or item.requested_owner_app_id or item.previous_owner_app_id
        yield _contact_event(about, kind, identifier(app))

    return control


def _contact_event(about: About, kind: Any, app_id: str | None = None) -> ContactEvent:
    assert about.contact is not None  # noqa: S101 — `tell` sees to it for all that need one
    return ContactEvent(**about.common(about.unnamed(kind)), kind=kind, contact=about.contact, app_id=app_id)


def _roles(about: About, item: dict[str, list[str]]) -> Told:
    for app, roles in item.items():
        state = ".".join(code(role) for role in roles)
        yield AccountEvent(
            **about.common(f"app_roles:{app}:{about.stamp}:{about.digest}"), kind="app_roles", subject=identifier(app), state=state
        )
    if not item:
        yield "app_roles"


def _policy(about: About, item: Policy) -> Told:
    own = f"policy_enforcement:{about.scope.account_id}:{about.stamp}:{about.digest}"
    yield AccountEvent(**about.common(own), kind="policy_enforcement", state=code(item.action))


def _payment(about: About, item: Bought) -> Told:
    """The price is in major units here."""
    amount = minor(item.amount.amount, item.amount.currency)
    if amount is None:
        yield Reject("bad_shape", "$.amount", "no whole number of a currency's smallest units", about.scope.account_id)
        return
    charge = identifier(item.payment_credential.charge_id)
    yield Payment(
        **about.common(f"payment:{charge or about.digest}:{about.stamp}"),
        kind="messenger.payment",
        subject_id=charge,
        payment_id=charge,
        contact=about.contact,
        amount_minor=amount,
        currency=item.amount.currency,
    )


class _Kind(NamedTuple):
    decoder: msgspec.json.Decoder[Any]
    tell: Callable[[About, Any], Told]
    is_about_somebody: bool = True


def _kind(shape: Any, tell: Callable[[About, Any], Told], *, is_about_somebody: bool = True) -> _Kind:
    return _Kind(msgspec.json.Decoder(shape), tell, is_about_somebody)


ITEMS: dict[str, _Kind] = {
    "message": _kind(Sent, _message),
    "message_edit": _kind(Edit, _edit),
    "reaction": _kind(Reaction, _reaction),
    "postback": _kind(Postback, _postback),
    "referral": _kind(Referral, _referral),
    "read": _kind(Receipt, _receipt("read")),
    "delivery": _kind(Receipt, _receipt("delivered")),
    "optin": _kind(Optin, _optin),
    "pass_thread_control": _kind(Control, _control("thread_passed")),
    "take_thread_control": _kind(Control, _control("thread_taken")),
    "request_thread_control": _kind(Control, _control("thread_requested")),
    "app_roles": _kind(dict[str, list[str]], _roles, is_about_somebody=False),
    "policy-enforcement": _kind(Policy, _policy, is_about_somebody=False),
    "policy_enforcement": _kind(Policy, _policy, is_about_somebody=False),
    "payment": _kind(Bought, _payment),
}
"""By the key that says what an item is: its shape, what it tells, and whether it needs a contact."""


def tell(scope: Scope, head: Head, key: str, raw: Raw, place: str) -> Told:
    """What one item tells. Its time is its own; a delivery has none and takes its watermark, which stays when Meta sends again."""
    kind = ITEMS[key]
    item = decode_json(kind.decoder, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, f"{place}.{key}")
        return
    watermark = moment(item.watermark) if isinstance(item, Receipt) and head.timestamp is None else None
    at = watermark or head.occurred_at(scope)
    if at is None:
        detail = "neither seconds or milliseconds since 1970 nor ISO 8601 with an offset"
        yield Reject("bad_time", f"{place}.timestamp", detail, scope.account_id)
        return
    is_echo = isinstance(item, Sent) and item.is_echo
    contact = head.contact(scope, is_echo=is_echo)
    if contact is None and kind.is_about_somebody:
        nobody = Reject("bad_contact", place, "neither party is a contact", scope.account_id)
        yield f"{key}.user_ref" if head.is_guest() else nobody
        return
    about = About(scope, at, contact, is_echo or head.is_outbound(scope), str(head.timestamp), digest(bytes(raw)))
    for told in kind.tell(about, item):
        yield within(told, f"{place}.{key}") if isinstance(told, Reject) else told
    if isinstance(item, Sent) and (new := not_modelled(item, raw)) is not None:
        yield new
