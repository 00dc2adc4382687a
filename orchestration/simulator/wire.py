"""Webhooks as they leave a vendor: the raw text, its headers and the signature over exactly those bytes.

Here belongs what surrounds a body: escaping, signing, header names in the mixed case that proxies leave. Not here: what
bodies say.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Wire:
    """One webhook on its way."""

    source: str
    headers: dict[str, str]
    raw: str

    def line(self, received_at: datetime) -> bytes:
        """As one line of an inbox segment, without the newline."""
        return msgspec.json.encode({"source": self.source, "received_at": received_at, "headers": self.headers, "body": self.raw})


def sign(raw: str, secret: str) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), raw.encode(), hashlib.sha256).hexdigest()


def meta_json(body: dict[str, Any]) -> str:
    r"""JSON as Meta sends and signs it: everything outside ASCII as lower-case `\uXXXX`, slashes escaped.

    >>> meta_json({"a": "ä/🙂"})
    '{"a":"\\u00e4\\/\\ud83d\\ude42"}'
    """
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/")


def meta_wire(source: str, raw: str, secret: str, rng: Random) -> Wire:
    """Signed with the app's secret."""
    name = rng.choice(("X-Hub-Signature-256", "x-hub-signature-256", "X-HUB-SIGNATURE-256"))
    headers = {"Content-Type": "application/json", "User-Agent": "facebookexternalua", name: f"sha256={sign(raw, secret)}"}
    return Wire(source, headers, raw)


def whatsapp_wire(raw: str, secret: str, rng: Random) -> Wire:
    """As all of Meta's."""
    return meta_wire("whatsapp", raw, secret, rng)


def razorpay_wire(raw: str, secret: str, event_id: str, rng: Random) -> Wire:
    """Signed with the webhook's secret; the event's id is in a header only."""
    name, id_name = rng.choice((("X-Razorpay-Signature", "x-razorpay-event-id"), ("x-razorpay-signature", "X-Razorpay-Event-Id")))
    return Wire("razorpay", {"Content-Type": "application/json", name: sign(raw, secret), id_name: event_id}, raw)


def calendly_wire(raw: str, secret: str, sent_at: datetime) -> Wire:
    """Signed together with the moment at which it is sent: a retry is signed anew."""
    stamp = int(sent_at.timestamp())
    headers = {"Content-Type": "application/json", "Calendly-Webhook-Signature": f"t={stamp},v1={sign(f'{stamp}.{raw}', secret)}"}
    return Wire("calendly", headers, raw)


def push_wire(raw: str, token: str) -> Wire:
    """Under a token of Google's, which does not sign the body."""
    return Wire("gmail", {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}, raw)


def fetched_wire(raw: str, secret: str) -> Wire:
    """An answer of Gmail's that we fetched ourselves and signed for the inbox."""
    return Wire("gmail", {"X-Flexoraa-Signature": sign(raw, secret)}, raw)


def platform_wire(raw: str, secret: str, rng: Random) -> Wire:
    """Signed like Razorpay, under a name of our own."""
    name = rng.choice(("X-Flexoraa-Signature", "x-flexoraa-signature"))
    return Wire("platform", {"content-type": "application/json", name: sign(raw, secret)}, raw)
