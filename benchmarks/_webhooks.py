"""Signed WhatsApp webhooks in any number, as the collector writes them: what `benchmarks.ingest` feeds to everybody.

Here belongs the input and the tenants that it belongs to. Not here: who reads it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
_DAY_SECONDS = 86_400
MESSAGES_A_CONTACT = 10
_BODY = (
    '{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"value":{"messaging_product":"whatsapp","metadata":'
    '{"display_phone_number":"%s","phone_number_id":"%s"},"contacts":[{"profile":{"name":"%s"},"wa_id":"%s"}],"messages":'
    '[{"from":"%s","id":"%s","timestamp":"%d","type":"text","text":{"body":%s}}]},"field":"messages"}]}]}'
)
_NAMES = ("Asha", "Ravi", "Meera", "Imran", "Lakshmi", "Arjun", "Fatima", "Dev")
_WORDS = (
    "hello", "please", "price", "the", "three", "bedroom", "flat", "when", "can", "I", "visit", "tomorrow", "budget", "50", "lakh", "near",
    "metro", "is", "it", "still", "available", "thanks", "send", "photos",
)  # fmt: skip


class Account(NamedTuple):
    """One tenant's WhatsApp account, and the secret of its app."""

    waba_id: str
    number: str
    secret: bytes


def bodies(size: int, accounts: list[Account], seed: int = 1) -> Iterator[tuple[datetime, Account, str]]:
    """Moment of receipt, account and raw text of each: inbound text messages of a day of `size` / 10 people, about 488 bytes each."""
    rng = Random(seed)  # noqa: S311 — input of a benchmark
    contacts = max(1, size // MESSAGES_A_CONTACT)
    awake = max(1, contacts // 12)  # a conversation is over after two hours
    for n in range(size):
        at = FIRST + timedelta(microseconds=_DAY_SECONDS * 1_000_000 * n // size)
        who = (n // MESSAGES_A_CONTACT + rng.randrange(awake)) % contacts
        account = accounts[who % len(accounts)]
        phone = str(919_000_000_000 + who * 7_919 % 1_000_000_000)
        frame = b"\x1c\x18\x0c" + phone.encode() + b"\x15\x02\x00\x12\x18\x14" + f"{rng.getrandbits(80):020X}".encode() + b"\x00"
        wamid = "wamid." + base64.b64encode(frame).decode()
        text = json.dumps(" ".join(rng.choices(_WORDS, k=7)))
        sent = int(at.timestamp())
        name = _NAMES[who % len(_NAMES)]
        yield at, account, _BODY % (account.waba_id, "15550001111", account.number, name, phone, phone, wamid, sent, text)


def write(segment: Path, plain: Path, size: int, accounts: list[Account]) -> float:
    """The same webhooks as a segment of the inbox and as bare bodies, one a line; returns the mean size of a body in bytes."""
    total = 0
    with segment.open("w") as enveloped, plain.open("w") as bare:
        for at, account, body in bodies(size, accounts):
            signature = hmac.new(account.secret, body.encode(), hashlib.sha256).hexdigest()
            headers = {"x-hub-signature-256": f"sha256={signature}"}
            line = {"source": "whatsapp", "received_at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "headers": headers, "body": body}
            enveloped.write(json.dumps(line, separators=(",", ":")) + "\n")
            bare.write(body + "\n")
            total += len(body)
    return total / size
