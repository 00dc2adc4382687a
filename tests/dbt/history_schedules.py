"""Random scheduled messages of a tenant: moved, cancelled before and after their time, sent, never sent; for people who opt out or move on."""

import random
from datetime import timedelta

from core.actions import key_of
from tests.dbt.history_base import AS_OF, History

_MICRO = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)  # nothing happens a microsecond after the build: time alone must change no mart


def add_schedules(made: History, tenant: str, rng: random.Random) -> None:
    """All of one tenant."""
    points = [row for row in made.reference["lead_points"] if row.tenant_id == tenant]
    for number in range(60):
        held = rng.choice(points)
        at = min(held.valid_from + timedelta(seconds=rng.randint(0, 20 * 86_400)), AS_OF - _HOUR)
        point = held.point_id if rng.random() < 0.95 else "cp_of_nobody"
        channel = rng.choice(("whatsapp", "whatsapp", "instagram", "gmail"))
        common = {"schedule_id": f"plan_{number}", "contact_point_id": point, "channel": channel}
        common["template_name"] = rng.choice((None, "see_you"))
        send_at = (
            at + timedelta(seconds=rng.randint(0, 3 * 86_400))
            if rng.random() < 0.8
            else AS_OF + rng.choice((-_HOUR, _SECOND - _HOUR, timedelta(), _SECOND, _HOUR))
        )
        if held.valid_to and held.valid_to < AS_OF:  # at the very instant the number is another one's
            at, send_at = held.valid_to - _HOUR, held.valid_to + rng.choice((-_MICRO, timedelta(), _MICRO))
        for version in range(rng.choice((1, 1, 2))):
            key = f"s{rng.getrandbits(32):08x}:{number}:{version}"
            send_at += version * timedelta(hours=5)
            made.add("scheduled_messages", tenant, key, at + version * _HOUR, kind="scheduled", send_at=send_at, **common)
        if rng.random() < 0.2:
            late = send_at + rng.choice((-_HOUR, _HOUR - _MICRO, _HOUR, 2 * _HOUR))
            made.add("scheduled_messages", tenant, f"c{number}", late, kind="cancelled", send_at=send_at, **common)
        if rng.random() < 0.3 and send_at < AS_OF:
            made.add(
                "messages", tenant, f"m_of_plan_{number}", send_at + timedelta(seconds=9), message_id=f"m_of_plan_{number}", channel=channel,
                channel_account_id=f"{channel}_1", contact_point_id=point, direction="outbound", author_type="automation",
                message_type="template", template_name="see_you", action_id=key_of(tenant, "scheduled_message", "schedule", key),
            )  # fmt: skip
