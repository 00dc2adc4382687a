"""Links that a message brings: a payment link of Razorpay, three free times and a single-use booking link of Calendly.

Here belong those requests. A link that was made and never sent does no harm: Calendly's is forgotten, Razorpay's is found again by its
reference, so that one action has one. Not here: the message that brings it (`_words`, `webhook`).
"""

import base64
import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from core.actions import Action, Outcome, key_of
from core.booking import said, three_slots
from orchestration.resources.senders._http import Answer, ask
from orchestration.resources.senders._tools import SenderTools

_NOTICE = timedelta(hours=2)
_AHEAD = timedelta(days=6, hours=23)
"""Calendly lists at most 7 days at once."""
_REFERENCE = 40
"""Razorpay's longest reference_id; 40 hexadecimal digits of the action's id are one in 2^160."""


class Booking(NamedTuple):
    """What a lead is offered."""

    slots: str
    link: str


def payment_link(tools: SenderTools, action: Action) -> str | Outcome | None:
    """The address of the action's payment link, made once; None where nobody told an amount or there is no Razorpay account."""
    details = json.loads(action.details)
    amount = _amount(tools, action.tenant_id, details)
    token = tools.lookup.access_token(action.tenant_id, "razorpay", None)
    if amount is None or token is None:
        return None
    # of the request, not of one destination's share in it: all of them bring the same link
    reference = key_of(action.tenant_id, action.rule, action.subject, action.trigger)[:_REFERENCE]
    url = f"{tools.razorpay_url}/payment_links"
    headers = {"authorization": f"Basic {base64.b64encode(token.encode()).decode()}", "content-type": "application/json"}
    there = ask(tools.client, "GET", f"{url}?{urlencode({'reference_id': reference})}", headers=headers, is_repeatable=True)
    found = _decoded(there)
    if isinstance(found, Outcome):
        return found
    links = found.get("payment_links") or []
    if not links:
        wish = {
            "amount": amount[0], "currency": amount[1], "reference_id": reference,
            "description": details.get("description", action.rule.replace("_", " ")),
            "notes": {"action_id": action.action_id, "lead_id": action.lead_id or ""},
        }  # fmt: skip
        made = _decoded(ask(tools.client, "POST", url, body=json.dumps(wish).encode(), headers=headers, is_repeatable=True))
        if isinstance(made, Outcome):
            return made
        links = [made]
    address = links[0].get("short_url") if isinstance(links[0], dict) else None
    return address or Outcome("rejected", "Razorpay's answer holds no short_url")


def booking(tools: SenderTools, action: Action, timezone: str) -> Booking | Outcome:
    """Three free times of the event type and a link that can be used once; it carries the lead's id."""
    details = json.loads(action.details)
    event_type = details.get("event_type") or tools.lookup.section(action.tenant_id, "sending").get("booking_event_type")
    token = tools.lookup.access_token(action.tenant_id, "calendly", None)
    if event_type is None or token is None:
        return Outcome("rejected", "the tenants file gives no booking_event_type, or no access token of Calendly")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    since = tools.lookup.now() + _NOTICE
    asked = urlencode({"event_type": event_type, "start_time": _iso(since), "end_time": _iso(since + _AHEAD)})
    free = _decoded(
        ask(tools.client, "GET", f"{tools.calendly_url}/event_type_available_times?{asked}", headers=headers, is_repeatable=True)
    )
    if isinstance(free, Outcome):
        return free
    wish = json.dumps({"max_event_count": 1, "owner": event_type, "owner_type": "EventType"}).encode()
    made = _decoded(ask(tools.client, "POST", f"{tools.calendly_url}/scheduling_links", body=wish, headers=headers, is_repeatable=True))
    if isinstance(made, Outcome):
        return made
    try:
        slots = [datetime.fromisoformat(each["start_time"]) for each in free["collection"] if each.get("status") == "available"]
        link = str(made["resource"]["booking_url"])
    except (KeyError, TypeError, ValueError) as error:
        return Outcome("rejected", f"Calendly's answer is of another shape: {type(error).__name__}")
    if not slots:
        return Outcome("requested", "Calendly offers no free time in the next 7 days")
    query = f"?{urlencode({'utm_content': action.lead_id})}" if action.lead_id else ""
    return Booking(said(three_slots(slots, timezone), timezone), link + query)


def _amount(tools: SenderTools, tenant_id: str, details: dict[str, Any]) -> tuple[int, str] | None:
    """In the smallest unit, with the currency: what the action names, else what the last top-up's tokens cost now."""
    if "amount_minor" in details and "currency" in details:
        return int(details["amount_minor"]), str(details["currency"])
    currency = str(tools.lookup.section(tenant_id, "tenants").get("currency", ""))
    rate = tools.lookup.section(tenant_id, "credit_rates", currency)
    tokens = details.get("last_top_up_tokens")
    return (-(-int(tokens) * 100 // int(rate["tokens_per_major"])), currency) if tokens and rate else None


def _decoded(answer: Answer) -> dict[str, Any] | Outcome:
    """The body, or why there is none; whatever it is, nothing went to the person yet, so a failure that passes is tried again."""
    if answer.outcome.state != "sent":
        return answer.outcome
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return answer.outcome._replace(state="requested", reason="the answer is no JSON object")


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
