"""Stories of Calendly bookings: kept, cancelled, moved, missed; by somebody new or by a lead of WhatsApp who leaves the number.

Each says which appointment must be found. The halves of a reschedule come in either order. Not here: the shapes (`calendly`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from orchestration.simulator.business import Business
from orchestration.simulator.calendly import Booking, routing_form, uuid
from orchestration.simulator.post import Post
from orchestration.simulator.truth import TenantTruth
from orchestration.simulator.wire import calendly_wire


@dataclass(slots=True)
class Desk:
    """The tenant's Calendly, and one invitee."""

    business: Business
    post: Post
    truth: TenantTruth
    rng: Random
    name: str
    email: str
    phone: str | None
    """Of a lead of WhatsApp, if the invitee is one."""
    start: datetime
    end: datetime

    def booking(self, at: datetime, starts_at: datetime) -> Booking:
        """A booking made then; a link of ours carries a lead id (here one that nobody has)."""
        booking = Booking(
            user=self.business.accounts["calendly"],
            event_id=uuid(self.rng),
            invitee_id=uuid(self.rng),
            event_type=f"{self.rng.getrandbits(64):016X}",
            email=self.email,
            name=self.name,
            timezone=self.business.profile.timezone,
            starts_at=starts_at,
            created_at=at,
            phone=self.phone,
            lead_id="lead_" + "".join(self.rng.choices("abcdefghijklmnopqrstuvwxyz234567", k=26)),
        )
        self.tell(booking.body("invitee.created", at), at)
        return booking

    def tell(self, raw: str, at: datetime) -> None:
        """One webhook about the invitee: the step, the name, and the number that belongs to the same person if there is one."""
        self.truth.contact_events["profile_named"] += 1
        self.truth.contact_events["linked"] += self.phone is not None
        self._send(raw, ("appointments", "contact_events", *["contact_events"] * (self.phone is not None)), at)

    def tell_both(self, halves: tuple[str, str], at: datetime) -> None:
        """The two halves of a reschedule, in either order."""
        for raw in self.rng.sample(halves, 2):
            self.tell(raw, at)

    def submit(self, form_id: str, at: datetime, submitter: str | None) -> None:
        """A routing form."""
        self._send(routing_form(self.business.accounts["calendly"], form_id, at, submitter), ("appointments",), at)

    def note(self, status: str, moves: int = 0) -> None:
        """The story is over: what became of the appointment. Somebody new is a lead; one who left a known number is the same one."""
        self.truth.appointments[status] += 1
        self.truth.reschedules += moves
        self.truth.leads += self.phone is None

    def earlier(self, days: float) -> datetime:
        """Some whole second at least so many days before the end."""
        low = self.start + timedelta(hours=2)
        return (low + self.rng.random() * (self.end - timedelta(days=days) - low)).replace(microsecond=0)

    def _send(self, raw: str, tables: tuple[str, ...], at: datetime) -> None:
        secret = self.business.secrets["calendly"]
        self.post.send(lambda received_at: calendly_wire(raw, secret, received_at), tables, at)


_H = timedelta(hours=1)


def kept(desk: Desk) -> None:
    """Booked, and the time has passed."""
    at = desk.earlier(3)
    desk.booking(at, at + 30 * _H)
    desk.note("completed")


def ahead(desk: Desk) -> None:
    """Booked for the days after the end, by way of a routing form."""
    at = desk.earlier(1)
    booking = desk.booking(at, desk.end + desk.rng.randrange(20, 200) * _H)
    desk.submit(uuid(desk.rng), at - timedelta(minutes=2), booking.uri)
    desk.note("booked")


def moved_once(desk: Desk) -> None:
    """Moved to a time that has passed."""
    at = desk.earlier(4)
    booking = desk.booking(at, at + 20 * _H)
    new = booking.moved(desk.rng, at + 60 * _H, at + 5 * _H)
    desk.tell_both(booking.replaced(new, new.created_at), new.created_at)
    desk.note("completed", moves=1)


def moved_twice(desk: Desk) -> None:
    """Moved twice, then cancelled by the invitee."""
    at = desk.earlier(4)
    booking = desk.booking(at, at + 90 * _H)
    for hours in (4, 9):
        new = booking.moved(desk.rng, at + (90 + hours) * _H, at + hours * _H)
        desk.tell_both(booking.replaced(new, new.created_at), new.created_at)
        booking = new
    desk.tell(booking.cancelled(at + 12 * _H, "invitee"), at + 12 * _H)
    desk.note("cancelled", moves=2)


def cancelled(desk: Desk) -> None:
    """We had to cancel."""
    at = desk.earlier(2)
    booking = desk.booking(at, at + 40 * _H)
    desk.tell(booking.cancelled(at + 8 * _H, "host"), at + 8 * _H)
    desk.note("cancelled")


def missed(desk: Desk) -> None:
    """Nobody came, somebody of ours marked it, and for more than a day nobody has asked why."""
    at = (desk.end - timedelta(hours=desk.rng.uniform(57, 74))).replace(microsecond=0)
    booking = desk.booking(at, at + 30 * _H)
    desk.tell(booking.no_show(at + 31 * _H, uuid(desk.rng)), at + 31 * _H)
    desk.truth.leak(desk.email, "no_show", is_open=True)
    desk.note("no_show")


def mistaken(desk: Desk) -> None:
    """Marked as missed by mistake: the mark was taken back."""
    at = desk.earlier(3)
    booking, mark = desk.booking(at, at + 30 * _H), uuid(desk.rng)
    desk.tell(booking.no_show(at + 31 * _H, mark), at + 31 * _H)
    desk.tell(booking.no_show(at + 32 * _H, mark, is_cleared=True), at + 32 * _H)
    desk.note("completed")


def only_asked(desk: Desk) -> None:
    """A routing form that led to nothing names nobody; the invitee books the next day."""
    at = desk.earlier(4)
    desk.submit(uuid(desk.rng), at, None)
    desk.booking(at + 24 * _H, at + 50 * _H)
    desk.note("completed")


STORIES: tuple[Callable[[Desk], None], ...] = (kept, ahead, moved_once, moved_twice, missed, cancelled, mistaken, only_asked)
"""Told in turn, so that eight invitees hold every story. `missed` has an even place, of those who are no lead of WhatsApp: nobody writes to
them."""
