"""One signed request to an address of the tenant's own, as JSON. The text field makes it readable in Slack as it is.

Here belongs its form. It carries the action's id as its idempotency key, so a receiver can drop a repeat. Not here: which destinations
(`webhook`, `callback`), mail (`_mail`).
"""

import hashlib
import hmac
import json
from typing import Any

from core.actions import Delivery, Outcome
from orchestration.resources.senders import _mail
from orchestration.resources.senders._http import ask
from orchestration.resources.senders._tools import Place, SenderTools


def place_of(tools: SenderTools, delivery: Delivery, kind: str) -> Place | Outcome:
    """The destination that a delivery is for; without one, the tenant's first."""
    places = tools.lookup.destinations(delivery.action.tenant_id, kind)
    if delivery.target is not None:
        places = [each for each in places if each.destination_id == delivery.target]
    if not places:
        which = f"destination of kind {kind}" if delivery.target is None else f"destination {delivery.target} any more"
        return Outcome("rejected", f"the tenants file gives no {which}")
    return places[0]


def post(tools: SenderTools, delivery: Delivery, kind: str, extra: dict[str, Any] | None = None) -> Outcome:
    """Try once. What the operating system is called back with is repeatable: it promises to drop what it has seen."""
    place = place_of(tools, delivery, kind)
    if isinstance(place, Outcome):
        return place
    told = form(delivery) | (extra or {})
    if place.url.startswith("mailto:"):
        return _mail.send(tools, place.url.removeprefix("mailto:"), told)
    body = json.dumps(told, sort_keys=True).encode()
    headers = {"content-type": "application/json", "idempotency-key": delivery.action.action_id}
    if place.secret:  # a signature under no secret would prove nothing and look as if it did
        headers["x-flexoraa-signature"] = hmac.new(place.secret, body, hashlib.sha256).hexdigest()
    return ask(tools.client, "POST", place.url, body=body, headers=headers, is_repeatable=kind == "callback").outcome


def form(delivery: Delivery) -> dict[str, Any]:
    """What is told of an action."""
    action = delivery.action
    return {
        "text": f"{action.rule.replace('_', ' ')}: {action.kind.replace('_', ' ')} ({action.lead_id or action.tenant_id})",
        "action_id": action.action_id,
        "tenant_id": action.tenant_id,
        "rule": action.rule,
        "kind": action.kind,
        "lead_id": action.lead_id,
        "subject": action.subject,
        "due_at": action.due_at.isoformat(),
        "details": json.loads(action.details),
    }
