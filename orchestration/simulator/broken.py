"""Broken webhooks, each with the reason for which it must end in quarantine, and well-formed ones of types that nobody models.

Here belong what can be wrong with a line, a body or an item of a body, and what may be new in it. Not here: what is known.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from orchestration.simulator.broken_elsewhere import NEW, Broken, Elsewhere
from orchestration.simulator.business import Business
from orchestration.simulator.whatsapp import Who, envelope, message, status, text, wamid
from orchestration.simulator.wire import (
    Wire,
    meta_json,
    platform_wire,
    razorpay_wire,
    whatsapp_wire,
)

HUGE_BYTES = 10 * 1024 * 1024 + 1


@dataclass(frozen=True, slots=True)
class Breaker:
    """Makes broken webhooks of one tenant. `digits` and `secret_text` are personal data that lie in them."""

    business: Business
    digits: str
    secret_text: str
    rng: Random

    def all(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, Broken]]:
        """Each kind once, at any time."""
        kinds: tuple[Callable[[datetime], Broken], ...] = (
            self._wrong_signature, self._wrong_platform_signature, self._unknown_account, self._unknown_platform_type,
            self._unknown_razorpay_event, self._unknown_whatsapp_field, self._not_json, self._bad_slot, self._bad_amount,
            self._bad_item, self._bad_whatsapp_time, self._bad_platform_time, self._nobody, self._no_phone, self._invalid_utf8,
            self._bad_line, *Elsewhere(self.business, self.secret_text, self.rng).kinds(),
        )  # fmt: skip
        for make in kinds:
            at = (start + self.rng.random() * (end - timedelta(minutes=1) - start)).replace(microsecond=0)
            yield at, make(at)

    def huge(self, at: datetime) -> Broken:
        """A body of more than 10 MB; well signed, and packed it is small."""
        return Broken(self._whatsapp(meta_json({"entry": [], "filler": "x" * HUGE_BYTES})).line(at), "too_large", False)

    def _item(self, at: datetime) -> dict[str, Any]:
        message_id, who = wamid(self.digits, self.rng, is_outbound=False), Who(None, self.digits, None)
        return envelope(self.business, [message(at, message_id, who, text(self.secret_text))])

    def _whatsapp(self, raw: str, secret: str | None = None) -> Wire:
        return whatsapp_wire(raw, secret or self.business.secrets["whatsapp_app"], self.rng)

    def _wrong_signature(self, at: datetime) -> Broken:
        return Broken(self._whatsapp(meta_json(self._item(at)), "someone-elses-secret").line(at), "wrong_signature", True)

    def _wrong_platform_signature(self, at: datetime) -> Broken:
        raw = json.dumps(self._turn(at))
        return Broken(platform_wire(raw, "someone-elses-secret", self.rng).line(at), "wrong_signature", True)

    def _unknown_account(self, at: datetime) -> Broken:
        body = self._item(at)
        body["entry"][0]["id"] = "999000000000001"
        body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "999000000000002"
        return Broken(self._whatsapp(meta_json(body)).line(at), "unknown_account", False)

    def _unknown_platform_type(self, at: datetime) -> Broken:
        return self._platform(at, self._turn(at) | {"type": "lead.teleported"}, None)

    def _unknown_razorpay_event(self, at: datetime) -> Broken:
        return self._razorpay(at, "merchant.teleported", 100, None)

    def _unknown_whatsapp_field(self, at: datetime) -> Broken:
        body = self._item(at)
        change = body["entry"][0]["changes"][0]
        change["field"], change["value"]["xyz"] = "unknown_field_xyz", change["value"].pop("messages")
        return Broken(self._whatsapp(meta_json(body)).line(at), None, True, NEW)

    def _not_json(self, at: datetime) -> Broken:
        return Broken(self._whatsapp(meta_json(self._item(at))[:-7]).line(at), "not_json", False)

    def _bad_slot(self, at: datetime) -> Broken:
        return self._platform(at, self._turn(at) | {"confidence": 1.7}, "bad_shape")

    def _bad_amount(self, at: datetime) -> Broken:
        return self._razorpay(at, "payment.captured", "1,200", "bad_shape")

    def _bad_item(self, at: datetime) -> Broken:
        """One broken item beside a good one."""
        body = self._item(at)
        body["entry"][0]["changes"][0]["value"]["messages"][0]["text"] = self.secret_text
        return self._beside(at, body, "bad_shape")

    def _bad_whatsapp_time(self, at: datetime) -> Broken:
        body = self._item(at)
        body["entry"][0]["changes"][0]["value"]["messages"][0]["timestamp"] = "TIMESTAMP"
        return self._beside(at, body, "bad_time")

    def _beside(self, at: datetime, body: dict[str, Any], reason: str) -> Broken:
        good = status(at, wamid(self.digits, self.rng, is_outbound=True), "read", Who(None, self.digits, None), "service")
        body["entry"] += envelope(self.business, [good])["entry"]
        return Broken(self._whatsapp(meta_json(body)).line(at), reason, True, good.tables)

    def _bad_platform_time(self, at: datetime) -> Broken:
        return self._platform(at, self._turn(at) | {"occurred_at": at.isoformat()[:19]}, "bad_time")

    def _nobody(self, at: datetime) -> Broken:
        body = self._item(at)
        value = body["entry"][0]["changes"][0]["value"]
        del value["messages"][0]["from"], value["contacts"]
        return Broken(self._whatsapp(meta_json(body)).line(at), "bad_contact", True)

    def _no_phone(self, at: datetime) -> Broken:
        return self._platform(at, self._turn(at) | {"contact": {"kind": "phone", "value": "ask at the desk"}}, "bad_contact")

    def _invalid_utf8(self, at: datetime) -> Broken:
        line = self._whatsapp(meta_json(self._item(at))).line(at)
        return Broken(line.replace(b"whatsapp_business_account", b"whatsapp_b\xfcsiness_account"), "invalid_utf8", False)

    def _bad_line(self, at: datetime) -> Broken:
        stamp = at.isoformat()
        lines: tuple[Any, ...] = (["whatsapp", stamp], {"source": "whatsapp", "received_at": stamp}, "hello")
        return Broken(msgspec.json.encode(self.rng.choice(lines)), "bad_line", False)

    def _turn(self, at: datetime) -> dict[str, Any]:
        return {
            "type": "ai_turn.completed",
            "id": f"broken_{self.rng.getrandbits(48):012x}",
            "account_id": self.business.workspace,
            "occurred_at": at.isoformat(),
            "contact": {"kind": "phone", "value": f"+{self.digits}"},
            "channel": "whatsapp",
            "confidence": 0.9,
            "next_action": "ask",
        }

    def _platform(self, at: datetime, body: dict[str, Any], reason: str | None) -> Broken:
        wire = platform_wire(json.dumps(body), self.business.secrets["platform"], self.rng)
        return Broken(wire.line(at), reason, True, () if reason else NEW)

    def _razorpay(self, at: datetime, event: str, amount: object, reason: str | None) -> Broken:
        currency = self.business.profile.currency
        payment = {"id": "pay_broken", "entity": "payment", "amount": amount, "currency": currency, "notes": []}
        body = {"entity": "event", "account_id": self.business.merchant, "event": event, "created_at": int(at.timestamp())}
        raw = json.dumps(body | {"contains": ["payment"], "payload": {"payment": {"entity": payment}}})
        wire = razorpay_wire(raw, self.business.secrets["razorpay"], f"evt_{self.rng.getrandbits(72):018x}", self.rng)
        return Broken(wire.line(at), reason, True, () if reason else NEW)
