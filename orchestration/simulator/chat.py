"""The pen that writes the story of one person on Messenger or Instagram, and counts what it wrote.

Each verb puts the webhooks of one happening into the post at `self.now`. Not here: which happenings follow each other (`chat_stories`).
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from core.sources.platform import Contact, LeadChanged, MessageSent
from orchestration.simulator import phrases, social
from orchestration.simulator.business import Business
from orchestration.simulator.post import Post
from orchestration.simulator.truth import TenantTruth

OUR_APP = 600_000_000_000_001


@dataclass(slots=True)
class Chat:
    """One person on one channel, and the moment at which their story stands."""

    business: Business
    post: Post
    truth: TenantTruth
    rng: Random
    thread: social.Thread
    start: datetime
    end: datetime
    now: datetime
    sent: dict[str, str] = field(default_factory=dict)
    """Our messages by id, with the highest status that was reported."""

    @property
    def channel(self) -> social.Channel:
        """Where they are."""
        return self.thread.channel

    def at(self, moment: datetime) -> "Chat":
        """Move to a moment, in whole milliseconds, as Meta counts."""
        self.now = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return self

    def wait(self, **length: float) -> "Chat":
        """Let time pass: `timedelta` arguments."""
        return self.at(self.now + timedelta(**length))

    def earlier(self, days: float) -> datetime:
        """Some moment at least so many days before the end."""
        low = self.start + timedelta(hours=2)
        return low + self.rng.random() * (self.end - timedelta(days=days) - low)

    def say(self, words: str | None = None, **content: Any) -> str:
        """The person writes; the message's id."""
        mid = social.new_mid(self.channel, self.rng)
        said = content if words is None else {"text": words} | content
        self._told(social.message(self.thread, self.now, mid, **said))
        return mid

    def ask(self) -> str:
        """The person asks something, in words of any stage."""
        return self.say(self.rng.choice(phrases.AGAIN["en"]))

    def edit(self, mid: str, words: str, number: int = 1) -> None:
        """The person changes a message."""
        self._told(social.edited(self.thread, self.now, mid, words, number))

    def take_back(self, mid: str) -> None:
        """The person unsends a message."""
        self.post.meta(self.channel, social.deleted(self.thread, self.now, mid))

    def react(self, mid: str, emoji: str | None) -> None:
        """The person puts an emoji on a message, or takes it off."""
        self._told(social.reaction(self.thread, self.now, mid, emoji))

    def press(self, title: str, *, has_id: bool = True) -> None:
        """The person presses a button of ours."""
        mid = social.new_mid(self.channel, self.rng) if has_id else None
        self._told(social.postback(self.thread, self.now, mid, title))

    def come_by_ad(self) -> None:
        """The person opens the thread from an ad."""
        self._told(social.referral(self.thread, self.now, str(self.rng.randrange(10**16, 10**17))))

    def assistant(self) -> str:
        """Our assistant answers 20 to 60 seconds later: our own feed and the echo of our app both tell it."""
        self.wait(seconds=self.rng.randrange(20, 60))
        mid, words = social.new_mid(self.channel, self.rng), self.rng.choice(phrases.ANSWER["en"])
        event = MessageSent(
            id=self.post.next_id("sent"),
            account_id=self.business.workspace,
            occurred_at=self.now,
            contact=self._contact(),
            channel=self.channel,
            channel_account_id=self.thread.account,
            message_id=mid,
            author_type="ai",
            text=words,
        )
        self.post.told_twice(event, self.channel, social.echo(self.thread, self.now, mid, words, OUR_APP))
        return self._sent(mid)

    def person(self) -> str:
        """One of our people answers from Meta's inbox, now."""
        return self._echo(social.INBOX_APPS[self.channel])

    def campaign(self) -> str:
        """Another app of ours writes, now."""
        return self._echo(OUR_APP + 1)

    def read(self, mid: str) -> None:
        """The person reads: on Messenger all that we wrote until now."""
        for each in self.sent if self.channel == "messenger" else (mid,):
            self.sent[each] = "read"
        self.post.meta(self.channel, social.read(self.thread, self.now, mid))

    def deliver(self) -> None:
        """All that was not read yet is on the person's device; Instagram never says so."""
        mids = [mid for mid, state in self.sent.items() if state == "accepted"]
        if self.channel == "messenger" and mids:
            self.sent |= dict.fromkeys(mids, "delivered")
            self.post.meta(self.channel, social.delivery(self.thread, self.now, mids))

    def tell(self, item: social.Item, kind: str) -> None:
        """Something that becomes known of the person."""
        self.truth.contact_events[kind] += 1
        self.post.meta(self.channel, item)

    def event(self, kind: Literal["won", "lost"]) -> None:
        """What came of it, now."""
        about: dict[str, Any] = {"id": self.post.next_id("change"), "account_id": self.business.workspace, "occurred_at": self.now}
        self.post.platform(LeadChanged(**about, kind=kind, contact=self._contact(), channel=self.channel))

    def note(self, conversations: int = 1, service: int = 1, human_agent: int = 1) -> None:
        """The story is over: how many conversations and windows it had."""
        self.truth.leads += 1
        self.truth.conversations[self.channel] += conversations
        self.truth.windows[f"{self.channel} service"] += service
        self.truth.windows[f"{self.channel} human_agent"] += human_agent
        self.truth.statuses.update(Counter(f"{self.channel} {state}" for state in self.sent.values()))

    def _told(self, item: social.Item) -> None:
        self.truth.messages[f"{self.channel} inbound"] += 1
        self.truth.statuses[f"{self.channel} received"] += 1
        self.post.meta(self.channel, item)

    def _echo(self, app_id: int) -> str:
        mid = social.new_mid(self.channel, self.rng)
        self.post.meta(self.channel, social.echo(self.thread, self.now, mid, self.rng.choice(phrases.ANSWER["en"]), app_id))
        return self._sent(mid)

    def _sent(self, mid: str) -> str:
        self.truth.messages[f"{self.channel} outbound"] += 1
        self.sent[mid] = "accepted"
        return mid

    def _contact(self) -> Contact:
        return Contact("igsid" if self.channel == "instagram" else "psid", self.thread.person)
