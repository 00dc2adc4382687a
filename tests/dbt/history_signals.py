"""What random messages say, as `assets.signals` would have kept it: some risky, some read twice, some not read at all."""

import random
from typing import Any

from core.signals import MessageSignal
from tests.dbt.history_base import History

RISKS = ("legal", "refund_dispute", "self_harm", "abuse")


def add_signals(made: History, tenant: str, rng: random.Random) -> None:
    """Of most messages with text of a tenant; drawn apart, so that all else stays what it was."""
    for row in made.lake["messages"]:
        if row["tenant_id"] == tenant and row["message_type"] == "text" and rng.random() < 0.7:
            said = _of_the_lead(rng) if row["direction"] == "inbound" else _of_us(rng)
            made.refer(telling(row, reader="shipped", **said))
            if rng.random() < 0.1:  # the vendor's telling of what our own feed told, whose word stands
                made.refer(telling(row | {"source": "whatsapp"}, reader="external", **(said | {"language": "und", "risk": "medical"})))


def telling(row: dict[str, Any], **said: Any) -> MessageSignal:
    """What a message of the lake says."""
    names = (
        "tenant_id",
        "contact_point_id",
        "event_id",
        "message_id",
        "source",
        "account_id",
        "direction",
        "body_hash",
        "occurred_at",
        "received_at",
    )
    return MessageSignal(**{name: row[name] for name in names}, **({"version": "1", "language_confidence": 0.9} | said))


def _of_the_lead(rng: random.Random) -> dict[str, Any]:
    low, high = rng.choice(((None, None), (10_000, 20_000), (None, 50_000), (30_000, None)))
    return {
        "language": rng.choice(("en", "hi", "hinglish")),
        "intent": rng.choice(("none", "support", "exploring", "comparing", "ready_to_buy")),
        "intent_confidence": rng.random(),
        "budget_low_minor": low,
        "budget_high_minor": high,
        "budget_currency": "INR" if low or high else None,
        "timeline_days": rng.choice((None, 0, 7, 30)),
        "objection": rng.choice(("none", "price")),
        "buying_signal": rng.choice(("none", "pay")),
        "risk": rng.choice(RISKS) if rng.random() < 0.03 else "none",
    }


def _of_us(rng: random.Random) -> dict[str, Any]:
    return {"language": "en", "principle": rng.choice(("none", "scarcity", "authority"))}
