"""A second reader of the same bodies: plain JSON, no shapes, no code of the platform, one obvious line a fact.

Here belongs what can be read off a body without knowing how the platform models it: ids, times, amounts, statuses. Each fact is what some row of
the conformance table must hold. Not here: the table.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Fact = dict[str, str]
"""Columns of one row that must be there; `rest` must hold the text, the others equal it."""


def when(told: Any) -> str:
    """Seconds or milliseconds since 1970 as the table has it."""
    number = int(told)
    micros = number * 1_000 if number > 10**11 else number * 1_000_000
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def whatsapp(body: Any) -> Iterator[Fact]:
    """Messages, statuses with price and error, groups, consents, news of the account."""
    for entry in body["entry"]:
        for change in entry["changes"]:
            value = change["value"]
            for item in value.get("messages", []) + value.get("message_echoes", []):
                yield {
                    "event_id": f"whatsapp:{item['id']}",
                    "occurred_at": when(item["timestamp"]),
                    "rest": f"account={value['metadata']['phone_number_id']}",
                }
                if item.get("type") != "system":
                    is_ours = "message_echoes" in value and item["type"] != "revoke"
                    yield {"table": "messages", "kind": item.get("type", "location"), "direction": "outbound" if is_ours else "inbound"}
                if "from" in item and item["from"].isdigit() and "messages" in value:
                    yield {"contact": f"phone:+{item['from']}"}
            for item in value.get("statuses", []):
                if item["timestamp"].isdigit():
                    yield {"kind": item["status"], "occurred_at": when(item["timestamp"]), "rest": f"message_id=whatsapp:{item['id']}"}
                    yield from ({"rest": f"error_code={error['code']}"} for error in item.get("errors", []))
                    yield from ({"rest": f"pricing_category={item['pricing']['category']}"} for _ in range("pricing" in item))
            for item in value.get("groups", []):
                yield {
                    "table": "account_events",
                    "kind": change["field"],
                    "occurred_at": when(item["timestamp"]),
                    "rest": f"state={item['type']}",
                }
            for item in value.get("user_preferences", []) + value.get("user_id_update", []):
                yield {"table": "contact_events", "occurred_at": when(item["timestamp"])}
            if "metadata" not in value and "time" in entry:
                yield {
                    "table": "account_events",
                    "kind": change["field"],
                    "occurred_at": when(entry["time"]),
                    "rest": f"account={entry['id']}",
                }


def meta(source: str, body: Any) -> Iterator[Fact]:
    """Messages of Messenger and Instagram, and when."""
    for entry in body["entry"]:
        for item in entry.get("messaging", []) + entry.get("standby", []):
            yield {"rest": f"account={entry['id']}"}
            if str(item.get("timestamp", "")).isdigit():
                yield {"occurred_at": when(item["timestamp"])}
            if "message" in item:
                yield {"rest": f"message_id={source}:{item['message']['mid']}"}


def razorpay(body: Any) -> Iterator[Fact]:
    """The event, when, and how much of what."""
    if "created_at" in body:
        paid_at = body["payload"]["payment"]["entity"]["created_at"] if body["event"].endswith(".paid") else 0
        yield {"kind": body["event"], "occurred_at": when(max(body["created_at"], paid_at))}
    kinds = ("refund", "dispute", "settlement", "payment")
    name = next((kind for kind in kinds if kind in body["event"] and kind in body["payload"]), next(iter(body["payload"])))
    name = "payment" if "payment" in body["payload"] and body["event"].endswith(("paid", "credited")) else name
    entity = body["payload"][name]["entity"]
    if "amount" in entity:
        yield {"amount": f"{entity['amount']} {entity.get('currency') or 'INR'}"}
        yield from ({"rest": f"{field}_minor={entity[field]}"} for field in ("fee", "tax") if entity.get(field) is not None)
    if "payment" in body["payload"] and not body["event"].startswith("subscription"):
        yield {"rest": f"payment_id={body['payload']['payment']['entity']['id']}"}


def calendly(body: Any) -> Iterator[Fact]:
    """Who booked what, and when that was said."""
    if "created_at" in body and isinstance(body.get("payload"), dict):
        yield {"occurred_at": body["created_at"].replace(".000000Z", "Z")}
        yield {"contact": f"email:{body['payload']['email']}" if "email" in body["payload"] else ""}
        yield {"event_id": f"calendly:{body['event']}:{body['payload']['uri']}"}


def gmail(body: Any) -> Iterator[Fact]:
    """Mails by Gmail's own time."""
    for item in body.get("messages", []):
        yield {"table": "messages", "occurred_at": when(item["internalDate"]), "direction": "inbound"}


def facts(source: str, body: Any) -> Iterator[Fact]:
    """All facts of one body."""
    if source in {"messenger", "instagram"}:
        yield from meta(source, body)
    else:
        yield from {"whatsapp": whatsapp, "razorpay": razorpay, "calendly": calendly, "gmail": gmail}[source](body)
