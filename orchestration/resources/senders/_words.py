"""What a message to a lead says: the tenant's text of that name with links, times and details filled in; the person behind the point.

Here belongs making it up, at the moment of sending and nowhere kept. Not here: the request that carries it.
"""

import json
from string import Template
from typing import NamedTuple

from core.actions import Delivery, Outcome
from core.events import Point
from orchestration.resources.senders._links import booking, payment_link
from orchestration.resources.senders._tools import SenderTools, Words

GONE = Outcome("cancelled", "nobody is behind this contact point any more")


class Ready(NamedTuple):
    """To whom, from which account with which token."""

    contact: Point
    account_id: str
    token: str


def ready(tools: SenderTools, delivery: Delivery, kinds: tuple[str, ...], source: str) -> Ready | Outcome:
    """Everything that a send to a person needs besides its words, or why it cannot be had."""
    action = delivery.action
    contact = tools.lookup.contact(action.tenant_id, action.point_id or "")
    if contact is None:
        return GONE
    if contact.kind not in kinds:
        return Outcome("rejected", f"this contact point is no address of {source}")
    if not action.account_id:
        return Outcome("rejected", "the request names no account of ours to send from")
    token = tools.lookup.access_token(action.tenant_id, source, action.account_id)
    if token is None:
        return Outcome("rejected", "the tenants file gives no access token for this account")
    return Ready(contact, action.account_id, token)


def words(tools: SenderTools, delivery: Delivery) -> Words | Outcome:
    """The words of `send_text`, `send_booking` and `send_payment_link`."""
    action = delivery.action
    fills = {name: value if isinstance(value, str) else json.dumps(value) for name, value in json.loads(action.details).items()}
    otherwise = ""
    if action.kind == "send_booking":
        otherwise, zone = "booking", str(tools.lookup.section(action.tenant_id, "tenants").get("timezone", "UTC"))
        offer = booking(tools, action, zone)
        if isinstance(offer, Outcome):
            return offer
        fills |= offer._asdict()
    elif action.kind == "send_payment_link":
        otherwise, link = "payment", payment_link(tools, action)
        if isinstance(link, Outcome):
            return link
        if link is None:
            return Outcome("rejected", "no payment link can be made: the details name no amount, or there is no Razorpay access token")
        fills["link"] = link
    name = action.template_name or otherwise
    said = tools.words(action.tenant_id, name, otherwise)
    if said is None:
        return Outcome("rejected", f"the tenants file has no text {name!r}")
    try:
        subject = None if said.subject is None else Template(said.subject).substitute(fills)
        return Words(Template(said.text).substitute(fills), subject)
    except (KeyError, ValueError) as error:
        return Outcome("rejected", f"the text {name!r} asks for {error}, which the action does not give")
