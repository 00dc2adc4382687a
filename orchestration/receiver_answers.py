"""What the local receiver answers in the place of each vendor: Meta's three messengers, Gmail, Google's tokens, Razorpay, Calendly.

Here belong good answers in the vendors' shapes, and what a vendor remembers between two requests. Not here: the server, its record and its
moods (`receiver`).
"""

import base64
import hashlib
import http.client
import threading
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

Answered = tuple[int, dict[str, Any] | None]


class Answers:
    """All vendors of one receiver; `links` are Razorpay's payment links by reference."""

    def __init__(self, url: str) -> None:
        """`url` is where the receiver listens: links lead there."""
        self._url = url
        self._lock = threading.Lock()
        self.links: dict[str, dict[str, Any]] = {}

    def get(self, path: str) -> Answered:
        """What is only read."""
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/")[-1]:
            case "health":
                return HTTPStatus.OK, {"is_up": True}
            case "payment_links":
                found = self.links.get(query.get("reference_id", ""))
                return HTTPStatus.OK, {"payment_links": [found] if found else []}
            case "event_type_available_times":
                return HTTPStatus.OK, {"collection": _free(datetime.fromisoformat(query["start_time"]))}
        return HTTPStatus.NOT_FOUND, {"error": "no such page"}

    def post(self, path: str, body: str) -> Answered:
        """What is done."""
        match path.strip("/").split("/"):
            case ["hook" | "callback", *_]:
                return HTTPStatus.NO_CONTENT, None
            case ["token"]:
                return HTTPStatus.OK, {"access_token": "ya29.local", "expires_in": 3600}
        try:
            wanted = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return self._refused(HTTPStatus.BAD_REQUEST if path.endswith("/messages") else HTTPStatus.NOT_FOUND)
        match path.strip("/").split("/"):
            case [*_, "users", "me", "messages", "send"]:
                return HTTPStatus.OK, {"id": _digest(body)[:16], "threadId": _digest(body)[:16], "labelIds": ["SENT"]}
            case [*_, "payment_links"]:
                return self._payment_link(wanted)
            case [*_, "scheduling_links"]:
                link = f"{self._url}/d/{_digest(body)[:12]}"
                return HTTPStatus.CREATED, {"resource": {"booking_url": link, "owner": wanted.get("owner"), "owner_type": "EventType"}}
            case [*_, account_id, "messages"]:
                return self._message(account_id, body, wanted)
        return self._refused(HTTPStatus.NOT_FOUND)

    def _message(self, account_id: str, body: str, wanted: dict[str, Any]) -> Answered:
        if wanted.get("messaging_product") != "whatsapp":
            to = wanted.get("recipient")
            if not isinstance(to, dict) or not to.get("id") or "message" not in wanted:
                return self._refused(HTTPStatus.BAD_REQUEST)
            return HTTPStatus.OK, {"recipient_id": to["id"], "message_id": f"m_{_digest(account_id + body)[:32]}"}
        to = wanted.get("to") or wanted.get("recipient")
        if not to:
            return self._refused(HTTPStatus.BAD_REQUEST)
        person = {"input": to, "wa_id": to} if wanted.get("to") else {"input": to, "user_id": to}
        sent = {"id": wamid_for(account_id, body), "message_status": "accepted"}
        return HTTPStatus.OK, {"messaging_product": "whatsapp", "contacts": [person], "messages": [sent]}

    def _payment_link(self, wanted: dict[str, Any]) -> Answered:
        """A reference is taken once: Razorpay refuses it the second time."""
        reference = str(wanted.get("reference_id"))
        with self._lock:
            if reference in self.links:
                return HTTPStatus.BAD_REQUEST, {"error": {"code": "BAD_REQUEST_ERROR", "description": "reference_id already exists"}}
            made = wanted | {"id": f"plink_{reference[:14]}", "short_url": f"{self._url}/i/{reference[:8]}", "status": "created"}
            self.links[reference] = made
        return HTTPStatus.OK, made

    @staticmethod
    def _refused(status: int) -> Answered:
        return status, graph_error(status)


def wamid_for(number_id: str, body: str) -> str:
    """Give the message id that a request gets: the same for the same request."""
    digest = hashlib.sha256(f"{number_id}\n{body}".encode()).digest()[:24]
    return f"wamid.{base64.b64encode(digest).decode()}"


def graph_error(status: int) -> dict[str, Any]:
    """An error as Meta's Graph API writes it."""
    message = http.client.responses.get(status, "Error")
    return {"error": {"message": message, "type": "OAuthException", "code": status, "fbtrace_id": "local"}}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _free(since: datetime) -> list[dict[str, Any]]:
    """Two hours of each of the next days, the first of them taken."""
    begin = since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    times = [begin + timedelta(days=day, hours=hour) for day in range(4) for hour in range(2)]
    return [{"status": "unavailable" if n == 0 else "available", "start_time": each.isoformat()} for n, each in enumerate(times)]
