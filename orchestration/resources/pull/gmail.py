"""Gmail's API, as far as a mailbox is read: profile, history, list, mails with their text, watch.

Here belongs what is asked and what is made of an answer before it is handed in: `emailAddress` is added, and a text that Gmail keeps apart
is put back. Not here: where reading goes on (`mailbox`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct, field

from core.intake import MAX_BODY_BYTES
from orchestration.resources.pull.http import Api, ApiError

PAGE = 100
"""Mails a page: as many requests are lost where a reader dies; Gmail allows 500."""

LARGEST_TEXT = 1 << 20
"""Bytes of a text part that are fetched where Gmail keeps it apart. Of a longer one Gmail's snippet is kept: it is no letter any more."""

_GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
_DEEPEST = 100


class HistoryTooOldError(Exception):
    """Gmail no longer knows the place in the history: everything has to be listed anew."""


class BadPageTokenError(Exception):
    """Gmail does not take the page's token any more."""


class Listing(NamedTuple):
    """Ids of mails, oldest first within their page, and what leads on; `body` is the page itself where it is worth keeping."""

    ids: list[str]
    next_page: str | None
    history_id: str
    body: bytes | None = None


class _Profile(Struct, rename="camel"):
    history_id: str | int


class _Id(Struct):
    id: str


class _Added(Struct):
    message: _Id


class _Record(Struct, rename="camel"):
    messages_added: list[_Added] = field(default_factory=list)
    messages_deleted: list[_Added] = field(default_factory=list)


class _History(Struct, rename="camel"):
    history_id: str | int
    history: list[_Record] = field(default_factory=list)
    next_page_token: str | None = None


class _List(Struct, rename="camel"):
    result_size_estimate: int
    messages: list[_Id] = field(default_factory=list)
    next_page_token: str | None = None


class _Attachment(Struct):
    data: str


class _Watch(Struct, rename="camel"):
    history_id: str | int
    expiration: str | int


class Gmail:
    """One mailbox."""

    def __init__(self, api: Api, mailbox: str) -> None:
        """`mailbox` is its address; requests say `me`, so that no address stands in any log."""
        self._api, self._mailbox = api, mailbox

    def place(self) -> str:
        """The newest place of the mailbox's history."""
        return str(self._api.get("/gmail/v1/users/me/profile", {}, _Profile).history_id)

    def history(self, since: str, page: str | None) -> Listing:
        """What was added and deleted after a place.

        Raises:
            HistoryTooOldError: the place is too old (HTTP 404).
            BadPageTokenError: `page` is.
        """
        asked: dict[str, str | list[str]] = {"startHistoryId": since, "maxResults": str(PAGE)}
        asked["historyTypes"] = ["messageAdded", "messageDeleted"]
        try:
            raw, found = self._api.get_both("/gmail/v1/users/me/history", asked | ({"pageToken": page} if page else {}), _History)
        except ApiError as error:
            if error.status in _GONE:
                raise HistoryTooOldError from error
            raise _page_error(error, page) from error
        # a mail may stand in several records, and one record on two pages
        ids = list(dict.fromkeys(added.message.id for record in found.history for added in record.messages_added))
        is_told = bool(ids) or any(record.messages_deleted for record in found.history)
        return Listing(ids, found.next_page_token, str(found.history_id), self._body(raw) if is_told else None)

    def listed(self, since: datetime, page: str | None) -> Listing:
        """Mails that came from a moment on, spam and bin left out.

        Raises:
            BadPageTokenError: `page` is too old.
        """
        asked = {"q": f"after:{int(since.timestamp())}", "maxResults": str(PAGE)} | ({"pageToken": page} if page else {})
        try:
            found = self._api.get("/gmail/v1/users/me/messages", asked, _List)
        except ApiError as error:
            raise _page_error(error, page) from error
        return Listing([each.id for each in reversed(found.messages)], found.next_page_token, "")

    def mail(self, mail_id: str) -> bytes | None:
        """One mail, as it is handed in; None if it was deleted meanwhile."""
        try:
            mail = self._api.get(f"/gmail/v1/users/me/messages/{quote(mail_id, safe='')}", {"format": "full"}, dict[str, Any])
            for part in _parts(mail.get("payload")):
                self._complete(mail_id, part)
        except ApiError as error:
            if error.status in _GONE:
                return None
            raise
        body = self._body(mail)
        while len(body) > MAX_BODY_BYTES and _drop_largest(mail):  # rather without a part than not at all
            body = self._body(mail)
        return body

    def watch(self, topic: str) -> datetime:
        """Let Gmail push to a topic; returns until when."""
        answer = self._api.post("/gmail/v1/users/me/watch", {"topicName": topic}, _Watch)
        return datetime.fromtimestamp(int(answer.expiration) / 1000, UTC)

    def _complete(self, mail_id: str, part: dict[str, Any]) -> None:
        """Fetch the text of a text part that is kept apart; other parts are attachments, and stay where they are."""
        body = part.get("body")
        if not isinstance(body, dict) or body.get("data") or not body.get("attachmentId") or part.get("filename"):
            return
        is_text = str(part.get("mimeType", "")).lower() in {"text/plain", "text/html"}
        size = body.get("size")
        if is_text and isinstance(size, int) and size <= LARGEST_TEXT:
            kept_apart = quote(str(body["attachmentId"]), safe="")
            path = f"/gmail/v1/users/me/messages/{quote(mail_id, safe='')}/attachments/{kept_apart}"
            body["data"] = self._api.get(path, {}, _Attachment).data

    def _body(self, answer: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"emailAddress": self._mailbox, **answer})


def _page_error(error: ApiError, page: str | None) -> Exception:
    return BadPageTokenError() if page and error.status == httpx.codes.BAD_REQUEST else error


def _parts(payload: object) -> Iterator[dict[str, Any]]:
    waiting = [(payload, 0)]
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, dict):
            yield part
            inner = part.get("parts")
            if isinstance(inner, list) and depth < _DEEPEST:
                waiting.extend((each, depth + 1) for each in inner)


def _drop_largest(mail: dict[str, Any]) -> bool:
    """Take out the largest data of all parts; False if there is none."""
    held = [part["body"] for part in _parts(mail.get("payload")) if isinstance(part.get("body"), dict) and part["body"].get("data")]
    if not held:
        return False
    del max(held, key=lambda body: len(str(body["data"])))["data"]
    return True
