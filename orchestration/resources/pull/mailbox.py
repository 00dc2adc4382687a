"""Reading a mailbox on: by its history from the stored place, or all of it where there is no place.

Here belongs the order that loses nothing. A full listing takes the newest place *before* it lists, so what comes meanwhile is told twice
rather than never. Not here: Gmail's answers (`gmail`), when to look (`core.plans`).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct

from orchestration.resources.pull.gmail import BadPageTokenError, Gmail, HistoryTooOldError, Listing
from orchestration.resources.pull.handover import Page
from orchestration.resources.pull.http import PullError

AT_ONCE = 4
"""Mails asked for at the same time."""

_MOST_RESTARTS = 3


class Following(Struct, tag_field="mode", tag="history", frozen=True, omit_defaults=True):
    """All before `history_id` is handed in, and of what came after it all pages before `page`."""

    history_id: str
    page: str | None = None


class Catching(Struct, tag_field="mode", tag="listing", frozen=True, omit_defaults=True):
    """A full listing of what came since `since`, at `page`; when it is done, reading goes on from `history_id`."""

    history_id: str
    since: datetime
    page: str | None = None


Place = Following | Catching


def read_on(gmail: Gmail, place: Place | None, since: Callable[[], datetime]) -> Iterator[Page[Place]]:
    """Pages of mails until there is nothing new; each with the place to store once it is handed in.

    Args:
        gmail: the mailbox.
        place: the stored one; None for a mailbox that was never read.
        since: from when on mails are listed where the history does not say.
    """
    place, restarts = place or Catching(gmail.place(), since()), 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mails") as threads:
        while True:
            try:
                listing = _ask(gmail, place)
            except (HistoryTooOldError, BadPageTokenError) as error:
                restarts += 1
                if restarts > _MOST_RESTARTS:
                    message = "Gmail refuses again and again to go on from where it has just sent us; nothing is lost, try again later"
                    raise PullError(message) from error
                place = Catching(gmail.place(), since()) if isinstance(error, HistoryTooOldError) else _from_first_page(place)
                continue
            mails = [body for body in threads.map(gmail.mail, listing.ids) if body is not None]
            is_last = listing.next_page is None and isinstance(place, Following)
            place = _after(place, listing)
            yield Page(([listing.body] if listing.body else []) + mails, len(listing.ids), place)
            if is_last:
                return


def _from_first_page(place: Place) -> Place:
    """Repeats are cheaper than a gap."""
    return Following(place.history_id) if isinstance(place, Following) else Catching(place.history_id, place.since)


def _ask(gmail: Gmail, place: Place) -> Listing:
    return gmail.history(place.history_id, place.page) if isinstance(place, Following) else gmail.listed(place.since, place.page)


def _after(place: Place, listing: Listing) -> Place:
    if isinstance(place, Following):
        return Following(place.history_id, listing.next_page) if listing.next_page else Following(listing.history_id)
    return Catching(place.history_id, place.since, listing.next_page) if listing.next_page else Following(place.history_id)
