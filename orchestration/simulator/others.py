"""People of a tenant who come by other ways than WhatsApp: Instagram, Messenger, e-mail, Calendly; and the news of its WhatsApp account.

Here belongs who they are and which story each lives. Not here: the stories.
"""

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import NamedTuple

from orchestration.simulator import bookings, chat_stories, mail, news
from orchestration.simulator.bookings import Desk
from orchestration.simulator.business import Business
from orchestration.simulator.chance import chance
from orchestration.simulator.chat import Chat
from orchestration.simulator.people import NAMES
from orchestration.simulator.post import Post
from orchestration.simulator.social import Channel, Thread
from orchestration.simulator.truth import TenantTruth

_CHANNELS: tuple[Channel, ...] = ("instagram", "messenger")


class Others(NamedTuple):
    """Of which simulation, between which moments, and how many of each kind."""

    seed: int
    start: datetime
    end: datetime
    people: int


def tell_others(world: Others, business: Business, post: Post, truth: TenantTruth, known: Sequence[str]) -> None:
    """All of them; `known` are numbers of leads of WhatsApp (E.164), some of whom book an appointment too."""
    if not world.people:
        return
    for channel in _CHANNELS:
        for number in range(world.people):
            rng = chance(world.seed, channel, business.index, number)
            thread = Thread(channel, business.accounts[channel], _person(channel, rng))
            chat = Chat(business, post, truth, rng, thread, world.start, world.end, world.start)
            chat_stories.STORIES[number % len(chat_stories.STORIES)](chat)
    letters = mail.Letters(business, post, truth, chance(world.seed, "mail", business.index), world.seed)
    for number in range(world.people):
        name, address = _named(business, "mail", number, world.seed)
        thread_of = mail.Thread(letters, name, address, "Your offer", world.start, world.end, world.start)
        low, high = world.start.timestamp() + 7_200, world.end.timestamp() - 5 * 86_400
        thread_of.at(datetime.fromtimestamp(low + letters.rng.random() * (high - low), world.start.tzinfo))
        mail.STORIES[number % len(mail.STORIES)](thread_of)
    for number in range(world.people):
        rng = chance(world.seed, "desk", business.index, number)
        name, address = _named(business, "desk", number, world.seed)
        phone = known[number] if number % 2 and number < len(known) else None
        desk = Desk(business, post, truth, rng, name, address, phone, world.start, world.end)
        bookings.STORIES[number % len(bookings.STORIES)](desk)
    news.tell(business, post, truth, world.start, world.end)


def _person(channel: Channel, rng: Random) -> str:
    """An id as the channel scopes it to our account."""
    return str(rng.randrange(10**15, 10**16) if channel == "instagram" else rng.randrange(10**16, 9 * 10**16))


def _named(business: Business, kind: str, number: int, seed: int) -> tuple[str, str]:
    """A name and an address, unlike all others of the tenant."""
    rng = chance(seed, kind, "name", business.index, number)
    first, last = NAMES["US" if business.profile.region == "AE" else business.profile.region]
    return f"{rng.choice(first)} {rng.choice(last)}".replace(",", ""), f"{kind}.{number}.{rng.getrandbits(32):08x}@people.example"
