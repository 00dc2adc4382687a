"""Random news of a tenant's accounts, some at one instant, and statuses and receipts that name actions.

Not here: what should follow (`tests.dbt.test_delivery_marts`).
"""

import random
from datetime import timedelta

from tests.dbt.history_base import AS_OF, History

NEWS = (
    ("whatsapp", "account_update", ("DISABLE", "REINSTATE", "ACCOUNT_RESTRICTION", "SCHEDULE_FOR_DISABLE")),
    ("whatsapp", "phone_number_quality_update", ("FLAGGED", "UNFLAGGED", "ONBOARDING")),
    ("whatsapp", "message_template_status_update", ("PAUSED", "APPROVED", "DISABLED", "FLAGGED")),
    ("messenger", "policy_enforcement", ("block", "unblock")),
)


def add_delivery(made: History, tenant: str, rng: random.Random) -> None:
    """All of one tenant."""
    for number in range(90):
        source, kind, states = rng.choice(NEWS)
        state = rng.choice(states)
        at = AS_OF - timedelta(hours=rng.randint(0, 400))  # whole hours, so that many meet
        made.add(
            "account_events", tenant, f"standing_{number}", at, source=source, kind=kind, state=state, account_id=f"waba_{rng.randint(0, 1)}",
            subject=rng.choice(("15550001111", "15550002222")) if kind.startswith("phone") else None,
            template_name=rng.choice(("recovery_1", "other", None)) if kind.startswith("message") else None,
            expires_at=at + timedelta(hours=rng.randint(0, 40)) if state == "ACCOUNT_RESTRICTION" else None,
        )  # fmt: skip
    for number in range(60):
        action, message = f"{rng.randint(0, 25):064x}", f"sent_{number}"
        status = rng.choice(("sent", "delivered", "read", "failed", "played", "deleted", "warning"))
        made.add(
            "message_statuses", tenant, f"{status}:{message}", AS_OF - timedelta(seconds=rng.randint(0, 9_000)), message_id=message,
            contact_point_id=f"cp_{tenant}_told_{number}", status=status, action_id=rng.choice((action, action, None)),
        )  # fmt: skip
