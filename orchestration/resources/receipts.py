"""Receipts: what we sent, written to the inbox as `message.sent` events of the tenant's own platform feed.

So a send is taken in, counted and judged like every other event. A receipt is on disk before the outbox says `sent`, so a worker that dies
in between leaves the evidence; the next worker hands it in. Not here: delivery statuses, which the vendor reports itself.
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
import threading
import uuid
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from core.actions import Delivery
from core.gate import HUMAN_AGENT, is_template
from core.sources.platform import Contact, MessageSent
from orchestration.resources.lookup import VaultLookup

_OPEN = ".receipts-"


class InboxReceipts:
    """One open segment a process; closed segments are ordinary ones."""

    def __init__(self, inbox: Path, lookup: VaultLookup) -> None:
        """Take the inbox folder and the look-ups that name the feed and the person."""
        self._inbox = inbox
        self._lookup = lookup
        self._file: IO[bytes] | None = None
        self._count = 0
        self._lock = threading.Lock()  # hands of one worker share it

    def note(self, delivery: Delivery, provider_id: str, now: datetime) -> None:
        """Append and fsync one event. A tenant without a platform feed has none, and its sends stay out of its marts."""
        action = delivery.action
        feed = self._lookup.platform_feed(action.tenant_id)
        contact = self._lookup.contact(action.tenant_id, action.point_id or "")
        if feed is None or contact is None:
            return
        account_id, secret = feed
        body = msgspec.json.encode(
            MessageSent(
                id=f"receipt-{action.action_id}",
                account_id=account_id,
                occurred_at=now,
                contact=Contact(contact.kind, contact.value),
                channel=action.channel,
                channel_account_id=action.account_id or "",
                message_id=provider_id,
                author_type="human" if delivery.tag == HUMAN_AGENT else "automation",
                message_type="template" if is_template(action) else "text",
                template_name=action.template_name if is_template(action) else None,
                action_id=action.action_id,
            )
        )
        headers = {"x-flexoraa-signature": hmac.new(secret, body, hashlib.sha256).hexdigest()}
        line = {"source": "platform", "received_at": now, "headers": headers, "body": body.decode()}
        with self._lock:
            file = self._open()
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._count += 1

    def close(self) -> int:
        """Close this process's segment and those of workers that died; the kernel's lock tells which are still written."""
        if self._file is not None:
            self._file.close()
            self._file = None
        for path in sorted(self._inbox.glob(f"{_OPEN}*")):
            _hand_in(path)
        count, self._count = self._count, 0
        return count

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._inbox.mkdir(parents=True, exist_ok=True)
            name = uuid.uuid4().hex
            path = self._inbox / f".opening-{name}"  # others look for `_OPEN`, and must not find it before it is locked
            self._file = path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            path.rename(self._inbox / f"{_OPEN}{name}")
        return self._file


def _hand_in(path: Path) -> None:
    # r+b never makes the file anew: another worker may have handed it in just now, and an empty one must not take its place
    with contextlib.suppress(BlockingIOError, FileNotFoundError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.rename(path.with_name(path.name.removeprefix(".") + ".ndjson"))
