"""Stories by e-mail: who writes to which of our mailboxes, who of us answers, and what Gmail and our own fetching make of it.

Here belong the threads. Each mail is fetched as Gmail answers it; now and then a push and a page of history come before. Not here: the
shapes (`gmail`). No story leaks: each ends won or lost, and is answered in minutes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from core.sources.platform import Contact, LeadChanged
from orchestration.simulator import phrases
from orchestration.simulator.business import Business, google
from orchestration.simulator.gmail import Mail, Mailbox
from orchestration.simulator.post import Post
from orchestration.simulator.truth import TenantTruth
from orchestration.simulator.wire import fetched_wire, push_wire


class Letters:
    """The mailboxes of one tenant, and the pen for what comes into them."""

    def __init__(self, business: Business, post: Post, truth: TenantTruth, rng: Random, seed: int) -> None:
        """Both boxes are empty."""
        self.business, self.post, self.truth, self.rng = business, post, truth, rng
        self._google = google(seed)
        self._fetch_secret = business.gmail_secret
        self.boxes = {name: Mailbox(business.accounts[name], rng.randrange(10**6, 10**7)) for name in ("sales", "support")}
        self._pushes = 0

    def arrive(self, mail: Mail, box: str = "sales", *, is_repeat: bool = False) -> None:
        """A mail is in a mailbox: now and then told by a push and a page of history, then fetched."""
        mailbox, gmail_id = self.boxes[box], f"{self.rng.getrandbits(60):016x}"
        mailbox.take(gmail_id, self.rng.randrange(1, 400))
        if self._pushes == 0 or self.rng.random() < 0.5:
            self._push(mailbox, mail.sent_at + timedelta(milliseconds=700))
        raw = mailbox.answer(mail, gmail_id)
        is_named = mail.sender != mailbox.address and "<" in mail.sender
        tables = ["messages"] + ["contact_events"] * is_named
        if is_repeat:
            self.post.send(lambda _: fetched_wire(raw, self._fetch_secret), (), mail.sent_at, repeated=len(tables))
            return
        self.truth.contact_events["profile_named"] += is_named
        direction = "outbound" if "SENT" in mail.labels else "inbound"
        self.truth.messages[f"gmail {direction}"] += 1
        self.truth.statuses[f"gmail {'received' if direction == 'inbound' else 'accepted'}"] += 1
        self.post.send(lambda _: fetched_wire(raw, self._fetch_secret), tables, mail.sent_at)

    def draft(self, mail: Mail) -> None:
        """What one of us has not sent yet is kept, and is no mail."""
        raw = self.boxes["sales"].answer(replace(mail, labels=("DRAFT",)), f"{self.rng.getrandbits(60):016x}")
        self.post.send(lambda _: fetched_wire(raw, self._fetch_secret), ("unmodelled",), mail.sent_at)

    def _push(self, mailbox: Mailbox, at: datetime) -> None:
        """A push, and the page that we fetch for it: one event for each mail that it names, and one for the place itself."""
        self._pushes += 1
        raw, page = mailbox.push(self.business.index * 10**6 + self._pushes, at), list(mailbox.added)
        self.truth.news["gmail history changed"] += 1
        self.post.send(lambda received_at: push_wire(raw, self._google.token(received_at)), ("account_events",), at)
        self.truth.news["gmail history.message_added told"] += len(page)
        self.truth.news["gmail history listed"] += 1
        answer = mailbox.page()
        tables = ["account_events"] * (len(page) + 1)
        self.post.send(lambda _: fetched_wire(answer, self._fetch_secret), tables, at, is_prompt=True)


@dataclass(slots=True)
class Thread:
    """One person's mails with us, and the moment at which their story stands."""

    letters: Letters
    name: str
    address: str
    subject: str
    start: datetime
    end: datetime
    now: datetime
    last: Mail | None = None

    def at(self, moment: datetime) -> "Thread":
        """Move to a moment, in whole seconds."""
        self.now = moment.replace(microsecond=0)
        return self

    def wait(self, **length: float) -> "Thread":
        """Let time pass: `timedelta` arguments."""
        return self.at(self.now + timedelta(**length))

    def write(self, words: str, **changes: Any) -> Mail:
        """The person writes to `sales`, in answer to what came last."""
        box = self.letters.boxes["sales"].address
        return self._mail(f"{self.name} <{self.address}>", box, words, **changes)

    def reply(self, words: str) -> Mail:
        """One of us answers from `sales`."""
        return self._mail(self.letters.boxes["sales"].address, self.address, words, labels=("SENT",))

    def event(self, kind: Literal["won", "lost"]) -> None:
        """What came of it, now."""
        post = self.letters.post
        about: dict[str, Any] = {"id": post.next_id("change"), "account_id": self.letters.business.workspace, "occurred_at": self.now}
        post.platform(LeadChanged(**about, kind=kind, contact=Contact("email", self.address), channel="gmail"))

    def note(self, conversations: int = 1) -> None:
        """The story is over."""
        self.letters.truth.leads += 1
        self.letters.truth.conversations["gmail"] += conversations

    def _mail(self, sender: str, recipients: str, words: str, **changes: Any) -> Mail:
        rng, last = self.letters.rng, self.last
        domain = self.address.partition("@")[2]
        mail = Mail(
            message_id=f"<{rng.getrandbits(80):020x}@mail.{domain}>",
            thread_id=last.thread_id if last else f"{rng.getrandbits(60):016x}",
            sender=sender,
            recipients=recipients,
            subject=("Re: " if last else "") + self.subject,
            words=words,
            sent_at=self.now,
            in_reply_to=last.message_id if last else None,
            quoted=last.words if last else None,
        )
        self.last = replace(mail, **changes)
        return self.last


def asked(thread: Thread) -> None:
    """A question in HTML alone, our answer, thanks, and a word of ours; bought."""
    thread.letters.arrive(thread.write("What does the <b>premium plan</b> include?", is_html=True))
    thread.wait(minutes=8)
    thread.letters.arrive(thread.reply("All of it, and a visit. Shall we talk?"))
    thread.wait(hours=3)
    thread.letters.arrive(thread.write(phrases.READY["en"][0]))
    thread.wait(minutes=9)
    thread.letters.arrive(thread.reply("You find the link below."))
    thread.wait(hours=2).event("won")
    thread.note()


def both_boxes(thread: Thread) -> None:
    """Written to both mailboxes: one mail with one Message-ID, which both hold."""
    both = thread.letters.boxes["support"].address
    mail = thread.write("नमस्ते, I wrote to all of you.", copies=both)
    thread.letters.arrive(mail)
    thread.letters.arrive(mail, "support", is_repeat=True)
    thread.wait(minutes=6)
    thread.letters.arrive(thread.reply("We are one team."))
    thread.wait(hours=1).event("lost")
    thread.note()


def away(thread: Thread) -> None:
    """We write first and a machine answers; a draft stays with us; four days later the person writes: a second conversation."""
    thread.letters.arrive(thread.reply("As promised on the phone: the offer."))
    thread.wait(minutes=1)
    thread.letters.arrive(thread.write("I am away until Monday.", is_automatic=True))
    thread.wait(minutes=5)
    thread.letters.arrive(thread.reply("Enjoy it!"))
    thread.letters.draft(thread.reply("Not yet sent"))
    thread.wait(hours=90)
    thread.letters.arrive(thread.write("Back again. " + phrases.AGAIN["en"][0]))
    thread.wait(minutes=7)
    thread.letters.arrive(thread.reply("Yes, on Saturdays."))
    thread.wait(hours=1).event("won")
    thread.note(conversations=2)


STORIES: tuple[Callable[[Thread], None], ...] = (asked, both_boxes, away)
