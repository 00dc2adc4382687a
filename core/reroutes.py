"""Where a lead goes on while what was to write to it is suspended: on another channel that is open, or with a person.

Here belongs the action that asks for it, made of what the gate knew. Not here: what is suspended and what it holds (`core.gate`), who is
asked (`orchestration.resources.senders.webhook`).
"""

import json
from datetime import datetime

from core.actions import Action, key_of
from core.gate import Standing, suspended_by

RULE = "suspension_reroute"


def reroute(action: Action, standing: Standing, now: datetime) -> Action | None:
    """What is asked of the operating system, and told to people, for a lead whose message a suspension holds; None where none does.

    One a lead and suspension, however many messages wait. It ends with the message that it is for, and is wanted while that waits, or
    could not wait long enough.
    """
    suspension = suspended_by(action, standing, now)
    if suspension is None or action.lead_id is None or now >= action.expires_at:
        return None
    channels = standing.open_channels
    told = {
        "reason": suspension.reason,
        "suspended": suspension.scope,
        "channel": action.channel,
        "waiting": action.rule,
        "route": "another_channel" if channels else "human_now",
        "channels": channels,
    }
    since = suspension.since_at.isoformat()
    return Action(
        action_id=key_of(action.tenant_id, RULE, action.lead_id, action.channel, suspension.scope, suspension.subject, since),
        tenant_id=action.tenant_id,
        rule=RULE,
        kind="reroute",
        channel="webhook",
        lead_id=action.lead_id,
        point_id=None,
        account_id=None,
        template_name=None,
        subject=suspension.scope,
        trigger=action.action_id,
        details=json.dumps(told, sort_keys=True),
        due_at=now,
        expires_at=action.expires_at,
    )
