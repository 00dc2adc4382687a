"""Calendly's bookings: scheduled events page by page, and the invitees of each.

Here belongs what is asked. Calendly lists by the *start* of a meeting, not by when it was booked. Not here: what a listed invitee says
(`core.sources.calendly`).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from orchestration.resources.pull.accounts import Account
from orchestration.resources.pull.handover import Page
from orchestration.resources.pull.http import Api, ApiError, Fixed, PullUsageError

RESOURCES = ("bookings",)
PAGE = 20
"""Meetings a page: each is a request of its own, which is asked again where a reader dies. Calendly allows 100."""

INVITEES = 100
NEEDS = "access to the organization's scheduled events, or to the user's own"
_NOT_FOUND = 404


class _User(Struct):
    uri: str
    current_organization: str | None = None


class _Me(Struct):
    resource: _User


class _Pagination(Struct):
    next_page_token: str | None = None


class _Event(Struct):
    uri: str


class _Events(Struct):
    collection: list[_Event]
    pagination: _Pagination


class _Invitees(Struct):
    collection: list[Any]
    pagination: _Pagination


def authorization(account: Account) -> Fixed:
    """A personal access token."""
    return Fixed(f"Bearer {account.credential.decode(errors='replace')}")


def pages(api: Api, account: Account, since: datetime, until: datetime | None, token: str) -> Iterator[Page[str | None]]:
    """Pages of meetings that start in [`since`, `until`), the cursor being Calendly's token of the next page, None at the end.

    Raises:
        PullUsageError: the token is of another account.
    """
    owner = _owner(api, account)
    span = {owner[0]: owner[1], "min_start_time": _iso(since), "sort": "start_time:asc", "count": str(PAGE)}
    span |= {"max_start_time": _iso(until)} if until else {}
    page: str | None = token
    while page is not None:
        answer, found = api.get_both("/scheduled_events", span | ({"page_token": page} if page else {}), _Events)
        bodies, invitees = [], 0
        for event, named in zip(answer["collection"], found.collection, strict=True):
            for body, count in _invitees(api, owner[1], named.uri, event):
                bodies.append(body)
                invitees += count
        page = found.pagination.next_page_token
        yield Page(bodies, invitees, page)


def _owner(api: Api, account: Account) -> tuple[str, str]:
    """Whether the account is an organization or a user, which its id does not tell: what the token says of itself does."""
    me = api.get("/users/me", {}, _Me).resource
    for name, uri in (("organization", me.current_organization), ("user", me.uri)):
        if uri and uri.rpartition("/")[2] == account.account_id:
            return name, uri
    message = f"{account.name}: its access_token is of another user and organization than account_id says"
    raise PullUsageError(message)


def _invitees(api: Api, owner: str, uri: str, event: dict[str, Any]) -> Iterator[tuple[bytes, int]]:
    scheduled = {name: value for name, value in event.items() if name != "location"}  # a meeting's password lies in it
    token: str | None = ""
    while token is not None:
        asked = {"count": str(INVITEES)} | ({"page_token": token} if token else {})
        try:
            answer, found = api.get_both(f"/scheduled_events/{quote(uri.rpartition('/')[2], safe='')}/invitees", asked, _Invitees)
        except ApiError as error:
            if error.status == _NOT_FOUND:  # deleted since it was listed
                return
            raise
        if found.collection:
            yield msgspec.json.encode({"created_by": owner, "scheduled_event": scheduled, **answer}), len(found.collection)
        token = found.pagination.next_page_token


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
