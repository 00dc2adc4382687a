"""Gmail as it reaches the inbox: a push that the mailbox changed, the page of its history that we fetch then, and the mails.

Here belong Google's shapes. Fetched answers carry the mailbox, which we add. Not here: tokens (`google`), what a story means (`mail`).
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from typing import Any


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: who to whom, which words in which form, what it answers."""

    message_id: str
    thread_id: str
    sender: str
    recipients: str
    subject: str
    words: str
    sent_at: datetime
    copies: str | None = None
    in_reply_to: str | None = None
    quoted: str | None = None
    is_html: bool = False
    is_automatic: bool = False
    labels: tuple[str, ...] = ("INBOX", "UNREAD")

    def parts(self) -> list[dict[str, Any]]:
        """HTML alone, as many phones send; else both forms, the plain one with what it answers below."""
        html = _part("1", "text/html", f"<html><body><p>{self.words}</p></body></html>")
        below = f"\r\n\r\nOn Monday somebody wrote:\r\n> {self.quoted}\r\n" if self.quoted else ""
        return [html] if self.is_html else [_part("0", "text/plain", self.words + below), html]

    def headers(self) -> list[dict[str, str]]:
        """The headers that are read; `Date` is the sender's word, and a year off."""
        found = {
            "Delivered-To": self.recipients,
            "From": self.sender,
            "To": self.recipients,
            "Cc": self.copies,
            "Subject": Header(self.subject, "utf-8").encode(),
            "Date": "Mon, 3 Nov 2025 09:00:00 +0000",
            "Message-ID": self.message_id,
            "In-Reply-To": self.in_reply_to,
            "Auto-Submitted": "auto-replied" if self.is_automatic else None,
        }
        return [{"name": name, "value": value} for name, value in found.items() if value is not None]


@dataclass(slots=True)
class Mailbox:
    """One of our mailboxes, and how far its history has come."""

    address: str
    history_id: int
    added: list[str] = field(default_factory=list)

    def take(self, gmail_id: str, step: int) -> None:
        """A mail came in; history ids grow, but skip."""
        self.history_id += step
        self.added.append(gmail_id)

    def push(self, number: int, at: datetime) -> str:
        """What Pub/Sub posts: base64 of the mailbox and its place; numbers and both spellings of the keys occur."""
        place = json.dumps({"emailAddress": self.address, "historyId": self.history_id if number % 2 else str(self.history_id)})
        message_id, stamp = str(10**16 + number), _iso(at)
        message = {
            "data": base64.b64encode(place.encode()).decode(),
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": stamp,
            "publish_time": stamp,
        }
        return json.dumps({"message": message, "subscription": "projects/sim-project/subscriptions/gmail"})

    def page(self) -> str:
        """The answer of history.list since the last one; a real page repeats an entry, so this one does."""
        entries = [
            {
                "id": str(self.history_id - n),
                "messages": [{"id": each}],
                "messagesAdded": [{"message": {"id": each, "labelIds": ["INBOX"]}}],
            }
            for n, each in enumerate([*self.added, *self.added[:1]])
        ]
        self.added = []
        return json.dumps({"emailAddress": self.address, "history": entries, "historyId": str(self.history_id)})

    def answer(self, mail: Mail, gmail_id: str) -> str:
        """The answer of messages.get in its full form."""
        kind = "multipart/alternative" if len(mail.parts()) > 1 else "text/html"
        shape: dict[str, Any] = {"parts": mail.parts()} if len(mail.parts()) > 1 else {"body": mail.parts()[0]["body"]}
        payload = {"partId": "", "mimeType": kind, "filename": "", "headers": mail.headers()} | shape
        said: dict[str, Any] = {
            "emailAddress": self.address,
            "id": gmail_id,
            "threadId": mail.thread_id,
            "labelIds": list(mail.labels),
            "snippet": mail.words[:100],
            "internalDate": str(int(mail.sent_at.timestamp() * 1000)),
            "historyId": str(self.history_id),
            "sizeEstimate": 2_000 + len(mail.words),
            "payload": payload,
        }
        return json.dumps(said, ensure_ascii=False)


def _part(part_id: str, kind: str, words: str) -> dict[str, Any]:
    raw = words.encode()
    header = {"name": "Content-Type", "value": f'{kind}; charset="UTF-8"'}
    data = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {"partId": part_id, "mimeType": kind, "filename": "", "headers": [header], "body": {"size": len(raw), "data": data}}


def addresses(names: Sequence[str]) -> str:
    """A header of several."""
    return ", ".join(names)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
