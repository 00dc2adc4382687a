"""What each vendor answers: state that tests plant, and lists of it in pages.

Here belongs one class a vendor. Not here: HTTP, and what goes wrong with it (`vendors`).
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

Answer = tuple[int, Any]
Params = dict[str, list[str]]


def refuse(status: int, reason: str) -> Answer:
    """As Google refuses."""
    return status, {"error": {"code": status, "errors": [{"reason": reason}], "message": "no"}}


def one(params: Params, name: str, default: str = "") -> str:
    """A parameter that stands once."""
    return params.get(name, [default])[0]


@dataclass
class GmailApi:
    """Mailboxes behind tokens. `history` is (id, added, deleted); ids skip, and the last record stands twice."""

    refresh_tokens: dict[str, str] = field(default_factory=dict)
    service_key: RSAPublicKey | None = None
    token_url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    mails: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    attachments: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[tuple[int, list[str], list[str]]]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    oldest: int = 0
    watches: list[tuple[str, str]] = field(default_factory=list)
    watch_until_ms: int = 0
    issued: int = 0
    missing_scope: bool = False
    page_generation: int = 0
    arriving: dict[str, Any] = field(default_factory=dict)

    def receive(self, mailbox: str, mail: dict[str, Any], step: int = 7) -> None:
        """A mail comes."""
        self.places[mailbox] = place = self.places.get(mailbox, 1000) + step
        self.mails.setdefault(mailbox, {})[mail["id"]] = mail
        self.history.setdefault(mailbox, []).append((place, [mail["id"]], []))

    def delete(self, mailbox: str, mail_id: str) -> None:
        """A mail goes."""
        self.places[mailbox] = place = self.places.get(mailbox, 1000) + 3
        del self.mails[mailbox][mail_id]
        self.history[mailbox].append((place, [], [mail_id]))

    def forget_before(self, place: int) -> None:
        """History before it is no longer known."""
        self.oldest = place

    def answer(self, method: str, path: str, params: Params, authorization: str, body: bytes) -> Answer:
        mailbox = self.tokens.get(authorization.removeprefix("Bearer "))
        if mailbox is None:
            return refuse(401, "authError")
        if self.missing_scope:
            return refuse(403, "insufficientPermissions")
        name, _, rest = path.partition("/")
        if method == "POST" and path == "watch":
            self.watches.append((mailbox, json.loads(body)["topicName"]))
            return 200, {"historyId": str(self.places.get(mailbox, 1000)), "expiration": str(self.watch_until_ms)}
        if path == "profile":
            return 200, {"emailAddress": mailbox, "messagesTotal": 1, "threadsTotal": 1, "historyId": str(self.places.get(mailbox, 1000))}
        if path == "history":
            return self._history(mailbox, params)
        if path == "messages":
            return self._list(mailbox, params)
        if name == "messages" and "/attachments/" in rest:
            data = self.attachments.get(rest.partition("/attachments/")[2])
            return (200, {"size": len(data), "data": data}) if data else refuse(404, "notFound")
        found = self.mails.get(mailbox, {}).get(rest) if name == "messages" and one(params, "format") == "full" else None
        return (200, found) if found else refuse(404, "notFound")

    def _page(self, token: str) -> int | None:
        """Where a page begins; None for a token that is no longer taken."""
        generation, _, start = token.partition("-") if token else (str(self.page_generation), "", "0")
        return int(start) if generation == str(self.page_generation) else None

    def _history(self, mailbox: str, params: Params) -> Answer:
        since, start, size = int(one(params, "startHistoryId")), self._page(one(params, "pageToken")), int(one(params, "maxResults", "100"))
        if since < self.oldest:
            return refuse(404, "notFound")
        if start is None:
            return refuse(400, "invalidArgument")
        records = [each for each in self.history.get(mailbox, []) if each[0] > since]
        records += records[-1:]  # a real list repeats one
        answer: dict[str, Any] = {"historyId": str(self.places.get(mailbox, 1000))}
        shown = [
            {"id": str(place), "messages": [{"id": each} for each in added + deleted]}
            | ({"messagesAdded": [{"message": {"id": each, "threadId": each}} for each in added]} if added else {})
            | ({"messagesDeleted": [{"message": {"id": each}} for each in deleted]} if deleted else {})
            for place, added, deleted in records[start : start + size]
        ]
        answer |= {"history": shown} if shown else {}
        return 200, answer | ({"nextPageToken": f"{self.page_generation}-{start + size}"} if start + size < len(records) else {})

    def _list(self, mailbox: str, params: Params) -> Answer:
        start, size = self._page(one(params, "pageToken")), int(one(params, "maxResults", "100"))
        since = int(one(params, "q").removeprefix("after:") or 0)
        if start is None:
            return refuse(400, "invalidArgument")
        kept = [m for m in self.mails.get(mailbox, {}).values() if int(m["internalDate"]) >= since * 1000 and "SPAM" not in m["labelIds"]]
        kept.sort(key=lambda mail: -int(mail["internalDate"]))
        found: dict[str, Any] = {"resultSizeEstimate": len(kept)}
        found |= (
            {"messages": [{"id": m["id"], "threadId": m["id"]} for m in kept[start : start + size]]} if kept[start : start + size] else {}
        )
        late = self.arriving.pop(mailbox, None)  # while the list is being read, somebody writes
        if late:
            self.receive(mailbox, late)
        return 200, found | ({"nextPageToken": f"{self.page_generation}-{start + size}"} if start + size < len(kept) else {})


@dataclass
class TokenApi:
    """Google's token endpoint."""

    gmail: GmailApi

    def answer(self, body: bytes) -> Answer:
        given = parse_qs(body.decode())
        if one(given, "grant_type") == "refresh_token":
            mailbox = self.gmail.refresh_tokens.get(one(given, "refresh_token"))
            if one(given, "client_secret") != "client secret":
                return 401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}
        else:
            mailbox = self._asserted(one(given, "assertion"))
        if mailbox is None:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        self.gmail.issued += 1
        token = f"ya29.token-{self.gmail.issued}"
        self.gmail.tokens[token] = mailbox
        return 200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer", "scope": "x"}

    def _asserted(self, assertion: str) -> str | None:
        head, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in assertion.split("."))
        said = json.loads(claims)
        assert self.gmail.service_key is not None
        try:
            self.gmail.service_key.verify(signature, assertion.rpartition(".")[0].encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return None
        is_right = json.loads(head)["alg"] == "RS256" and said["aud"] == self.gmail.token_url and said["exp"] - said["iat"] == 3600
        return said["sub"] if is_right and said["scope"].endswith("gmail.readonly") else None


@dataclass
class RazorpayApi:
    """One merchant's lists, newest first."""

    keys: set[str] = field(default_factory=set)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"payments": [], "refunds": [], "settlements": []})

    def answer(self, path: str, params: Params, authorization: str) -> Answer:
        if authorization not in self.keys:
            return 401, {"error": {"code": "BAD_REQUEST_ERROR", "description": "Authentication failed"}}
        count, skip = int(one(params, "count", "10")), int(one(params, "skip", "0"))
        first, last = int(one(params, "from")), int(one(params, "to"))
        if path not in self.items or count > 100 or not 946684800 <= first <= last <= 4765046400:
            return 400, {"error": {"code": "BAD_REQUEST_ERROR", "description": "not valid"}}
        kept = [each for each in self.items[path] if first < each["created_at"] < last]  # the stricter reading of the vendor's page
        kept.sort(key=lambda each: (-each["created_at"], each["id"]))
        shown = kept[skip : skip + count]
        return 200, {"entity": "collection", "count": len(shown), "items": shown}


@dataclass
class CalendlyApi:
    """One organization's meetings and their invitees."""

    token: str = "calendly token"
    organization: str = "ORG1"
    user: str = "USR1"
    meetings: list[dict[str, Any]] = field(default_factory=list)
    invitees: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def answer(self, path: str, params: Params, authorization: str) -> Answer:
        if authorization != f"Bearer {self.token}":
            return 401, {"title": "Unauthenticated", "message": "The access token is invalid"}
        root = "https://api.calendly.com"
        if path == "/users/me":
            return 200, {
                "resource": {"uri": f"{root}/users/{self.user}", "current_organization": f"{root}/organizations/{self.organization}"}
            }
        if path == "/scheduled_events":
            owner = (one(params, "organization"), one(params, "user"))
            if owner not in {(f"{root}/organizations/{self.organization}", ""), ("", f"{root}/users/{self.user}")}:
                return 403, {"title": "Permission Denied"}
            since, until = one(params, "min_start_time"), one(params, "max_start_time")
            kept = [m for m in self.meetings if _at(since) <= _at(m["start_time"]) and (not until or _at(m["start_time"]) < _at(until))]
            return self._page(sorted(kept, key=lambda each: each["start_time"]), params)
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[0] == "scheduled_events" and parts[2] == "invitees" and parts[1] in self.invitees:
            return self._page(self.invitees[parts[1]], params)
        return 404, {"title": "Resource Not Found"}

    def _page(self, found: list[dict[str, Any]], params: Params) -> Answer:
        size, start = int(one(params, "count", "20")), int(one(params, "page_token", "t0").removeprefix("t"))
        if size > 100:
            return 400, {"title": "Invalid Argument"}
        more = f"t{start + size}" if start + size < len(found) else None
        return 200, {"collection": found[start : start + size], "pagination": {"count": size, "next_page": None, "next_page_token": more}}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
