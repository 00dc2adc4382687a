"""How a tenant's actions may go out: rates, limits, quiet hours, and the texts of its own messages.

Here belong those sections of the tenants file. Not here: the gate that goes by them (`core.gate`), the rest of the file (`core.tenancy`).
"""

from collections.abc import Iterator
from string import Template
from typing import Annotated, Literal

from msgspec import Meta

from core.business_time import parse_shift
from core.tenancy_base import Dated, Identifier, Strict, Text

Channel = Literal["whatsapp", "messenger", "instagram", "gmail", "webhook", "callback"]
Times = Annotated[int, Meta(gt=0)]


class SendRate(Strict, frozen=True, kw_only=True):
    """How fast one account or destination of a channel is sent to: `per_second` in the long run, `burst` at once."""

    channel: Channel
    per_second: Annotated[float, Meta(gt=0, le=10_000)]
    burst: Annotated[int, Meta(gt=0, le=10_000)] = 10


RATES = (
    SendRate(channel="whatsapp", per_second=80),
    SendRate(channel="messenger", per_second=40),
    SendRate(channel="instagram", per_second=40),
    SendRate(channel="gmail", per_second=2),
    SendRate(channel="webhook", per_second=50, burst=100),
    SendRate(channel="callback", per_second=100, burst=100),
)
"""What the providers allow or, where they publish nothing, what they have borne: 80 messages a second and number (WhatsApp Cloud API)."""


class Sending(Dated, frozen=True, kw_only=True):
    """Limits of what is sent. `portfolio_users` is Meta's limit of people written to by template in any 24 hours.

    `quiet_hours`, such as "21:00-09:00" in the tenant's time zone, hold what reaches leads, save the rules of `quiet_exempt`.
    `contact_gap_seconds` lies between two messages of ours to one person, `contact_per_day` of them come in any 24 hours at most.
    A wallet at or below `least_tokens` holds what reaches leads, if it was ever topped up. `booking_event_type` is the Calendly event
    type of quick bookings, by its URI.
    """

    quiet_hours: str | None = None
    quiet_exempt: tuple[Identifier, ...] = ("appointment_confirmation", "appointment_reminder")
    portfolio_users: Times | None = None
    contact_gap_seconds: Annotated[int, Meta(ge=0)] = 6
    contact_per_day: Times | None = None
    least_tokens: int = 0
    template_language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$", description="As Meta writes it: en, en_US, hi.")] = "en"
    booking_event_type: Annotated[str, Meta(pattern=r"^https?://\S+$")] | None = None
    rates: tuple[SendRate, ...] = RATES


class MessageText(Dated, frozen=True, kw_only=True):
    """Words of a message of ours, by name; `$link`, `$slots` and what the action's details hold are filled in when it is sent."""

    name: Identifier
    text: Text
    subject: Text | None = None


TEXTS = {
    "booking": "Which of these suits you: $slots? Choose one of these or another time here: $link",
    "payment": "Here is your payment link: $link",
}
"""What is said where the tenants file has no text of that name."""


def problems(sending: list[Sending], texts: list[MessageText]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a schema cannot say of these sections: the place, and what is wrong there."""
    for place, each in enumerate(sending):
        if each.quiet_hours is not None:
            try:
                parse_shift(each.quiet_hours)
            except ValueError as error:
                yield ("sending", place, "quiet_hours"), str(error)
        channels = [rate.channel for rate in each.rates]
        for channel in sorted({one for one in channels if channels.count(one) > 1}):
            yield ("sending", place, "rates"), f"two rates for {channel}"
    for place, text in enumerate(texts):
        for name in ("text", "subject"):
            if not Template(getattr(text, name) or "").is_valid():
                yield ("texts", place, name), "a lone $ stands here; write $$ for the sign, $name for what is filled in"
