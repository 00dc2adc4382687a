"""A back-fill: all that a vendor lists of a span, resource after resource, going on where an earlier one was broken off.

Here belongs what "the same back-fill" is: one account, resource and span as it was asked for. One that was broken off goes on, under the
end that it began with; one that was finished begins anew, for states change. Not here: pages (`razorpay`, `calendly`), the port
(`vendors`).
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from core.ports import Clock
from orchestration.resources.pull import calendly, razorpay
from orchestration.resources.pull.accounts import Account
from orchestration.resources.pull.cursors import Cursor
from orchestration.resources.pull.handover import Page
from orchestration.resources.pull.http import Api, Fixed
from orchestration.resources.state import State


class Vendor(NamedTuple):
    """What a source's back-fill is made of."""

    resources: tuple[str, ...]
    needs: str
    authorization: Callable[[Account], Fixed]


VENDORS = {
    "razorpay": Vendor(razorpay.RESOURCES, razorpay.NEEDS, razorpay.authorization),
    "calendly": Vendor(calendly.RESOURCES, calendly.NEEDS, calendly.authorization),
}


class _Reading(Struct):
    """How far one resource has been read: the vendor's cursor, the end that was fixed when the reading began."""

    cursor: int | str | None
    until: datetime | None
    is_done: bool = False


class Resource:
    """One resource of one account in one span."""

    def __init__(self, name: str, cursor: Cursor, reading: _Reading | None) -> None:
        self.name, self._cursor, self._reading = name, cursor, reading

    @property
    def is_done(self) -> bool:
        """Whether an earlier try came to its end."""
        return self._reading is not None and self._reading.is_done

    @property
    def until(self) -> datetime | None:
        """The end with which it was begun."""
        return self._reading.until if self._reading else None

    @property
    def is_begun(self) -> bool:
        """Whether anything of it was handed in."""
        return self._reading is not None

    def pages(self, api: Api, account: Account, since: datetime, until: datetime | None) -> Iterator[Page[Any]]:
        """What is left of it."""
        start = self._reading.cursor if self._reading else None
        if account.source == "razorpay":
            assert until is not None  # noqa: S101 — `resources` fixed it
            return razorpay.pages(api, account, self.name, since, until, int(start or 0))
        return calendly.pages(api, account, since, until, str(start or ""))

    def move(self, cursor: Any, until: datetime | None) -> None:
        """All before `cursor` is handed in."""
        self._cursor.write(_Reading(cursor, until))

    def end(self, until: datetime | None) -> None:
        """All of it is."""
        self._cursor.write(_Reading(None, until, True))

    def forget(self, *, is_dry: bool) -> None:
        """Begin anew; the state's row stays if `is_dry`."""
        self._reading = None
        if not is_dry:
            self._cursor.drop()


Span = tuple[datetime, datetime | None]
"""From when and until when, half-open; without an end, for Razorpay until now and for Calendly for ever."""


def resources(state: State, clock: Clock, account: Account, span: Span, *, is_dry: bool) -> tuple[list[Resource], datetime | None]:
    """The resources of a back-fill with how far each is, and its end: for Razorpay a moment that has passed."""
    since, until = span
    name = f"{since.isoformat()}/{until.isoformat() if until else ''}"
    cursors = {each: Cursor(state, clock, account, each, name) for each in VENDORS[account.source].resources}
    found = [Resource(each, cursor, cursor.read(_Reading)) for each, cursor in cursors.items()]
    if all(each.is_done for each in found):
        for each in found:
            each.forget(is_dry=is_dry)
    begun = [each.until for each in found if each.is_begun]
    if begun:
        return found, begun[0]
    return found, until if account.source != "razorpay" else min(until or clock.now(), clock.now())
