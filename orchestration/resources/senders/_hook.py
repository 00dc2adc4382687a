"""One signed request to an address of the tenant's own, as JSON. The text field makes it readable in Slack as it is.

Here belongs its form. It carries the action's id as its idempotency key, so a receiver can drop a repeat. Not here: which address
(`webhook`, `callback`).
"""

import hashlib
import hmac
import json

from core.actions import Delivery, Outcome
from orchestration.resources.senders._http import SenderTools, try_once


def post(tools: SenderTools, delivery: Delivery, kind: str) -> Outcome:
    """Try once, at the tenant's first destination of a kind."""
    action = delivery.action
    destinations = tools.lookup.destinations(action.tenant_id, kind)
    if not destinations:
        return Outcome("rejected", f"the tenants file gives no destination of kind {kind}")
    url, secret = destinations[0]
    body = json.dumps(
        {
            "text": f"{action.rule.replace('_', ' ')}: {action.kind.replace('_', ' ')} ({action.lead_id or action.tenant_id})",
            "action_id": action.action_id,
            "tenant_id": action.tenant_id,
            "rule": action.rule,
            "kind": action.kind,
            "lead_id": action.lead_id,
            "subject": action.subject,
            "due_at": action.due_at.isoformat(),
            "details": json.loads(action.details),
        },
        sort_keys=True,
    ).encode()
    headers = {"content-type": "application/json", "idempotency-key": action.action_id}
    if secret:  # a signature under no secret would prove nothing and look as if it did
        headers["x-flexoraa-signature"] = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return try_once(tools.client, url, body, headers, _no_id)


def _no_id(_answer: bytes) -> None:
    return None
