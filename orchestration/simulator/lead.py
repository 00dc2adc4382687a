"""The pen that writes one lead's story: what they say, what we answer, what people of ours do.

Each verb puts the webhooks of one happening into the post at `self.now`. Not here: which happenings make a leak or a hot
lead (`stories`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from core.sources.platform import (
    AiTurnCompleted,
    Contact,
    LeadChanged,
    MessageSent,
    TokensUsed,
)
from orchestration.simulator import phrases, whatsapp
from orchestration.simulator.business import RECOVERY_TEMPLATE, Business
from orchestration.simulator.chance import happens
from orchestration.simulator.post import Post
from orchestration.simulator.truth import Metric, Promise, TenantTruth

Goal = Literal["cold", "warm", "hot"]
UsageKind = Literal["llm_input", "llm_output", "message"]
LeadKind = Literal["assigned", "human_action", "next_step_set", "escalated", "resolved", "won", "lost"]
_KINDS = ("text", "text", "text", "text", "text", "text", "text", "text", "image", "audio", "interactive")


@dataclass(slots=True)
class Lead:
    """One lead of one tenant, and the moment at which their story stands."""

    business: Business
    post: Post
    truth: TenantTruth
    rng: Random
    name: str
    digits: str
    user_id: str
    language: str
    start: datetime
    end: datetime
    now: datetime
    naming: Literal["phone", "both", "user_id"] = "phone"
    is_new: bool = True
    secret: str | None = None
    """What the lead writes first, if it must be found again."""

    @property
    def phone(self) -> str:
        """The number in E.164."""
        return f"+{self.digits}"

    def at(self, moment: datetime) -> "Lead":
        """Move to a moment, in whole seconds, as WhatsApp counts."""
        self.now = moment.replace(microsecond=0)
        return self

    def wait(self, **length: float) -> "Lead":
        """Let time pass: `timedelta` arguments."""
        return self.at(self.now + timedelta(**length))

    def earlier(self, days: float, at_most: float | None = None) -> datetime:
        """Some moment at least `days` before the end, and at most `at_most` days before it (else: within the simulation)."""
        low = self.start + timedelta(hours=2) if at_most is None else self.end - timedelta(days=at_most)
        return low + self.rng.random() * (self.end - timedelta(days=days) - low)

    def say(self, stage: Mapping[str, tuple[str, ...]], extra: str | None = None, *, is_from_ad: bool = False) -> None:
        """The lead writes; now and then in two messages of one webhook."""
        content = self._content(stage, extra)
        if is_from_ad:
            content |= whatsapp.referral(self.rng)
        items = [self._said(content)]
        if happens(self.rng, 0.1):
            self.wait(seconds=self.rng.randrange(3, 15))
            items.append(self._said(whatsapp.text(self._line(phrases.AGAIN))))
        self.is_new = False
        self.post.whatsapp(*items)

    def put(self, content: dict[str, Any]) -> str:
        """The lead sends exactly this; the message's id."""
        item = self._said(content)
        self.is_new = False
        self.post.whatsapp(item)
        return str(item.body["id"])

    def call(self, seconds: int) -> None:
        """The lead calls, now, and hangs up after so many seconds."""
        call_id = f"wacid.{self.rng.getrandbits(120):030X}"
        self._noted("inbound", "received")
        self.post.whatsapp(whatsapp.call(self.now, call_id, self._who(), self.business.display_number))
        self.wait(seconds=seconds)
        self.post.whatsapp(whatsapp.call(self.now, call_id, self._who(), self.business.display_number, seconds))

    def from_the_phone(self) -> None:
        """One of our people answers from the phone app, now: nobody but WhatsApp tells it."""
        self._noted("outbound", "accepted")
        words = self._line(phrases.PERSON).format(person="Asha")
        self.post.whatsapp(whatsapp.phone_echo(self.now, self._wamid(is_outbound=True), self._who(), self.business.display_number, words))

    def too_late(self) -> None:
        """One of our people writes freely, now, when the window is long shut: WhatsApp refuses it."""
        self._send("human", self._line(phrases.PERSON).format(person="Ben"), person_id="p_ben", is_refused=True)
        self.truth.violations["whatsapp outside_window"] += 1

    def answer(self, **slots: Any) -> None:
        """Our assistant answers within 20 to 90 seconds; with slots given, the answer is a turn of the qualification."""
        self.wait(seconds=self.rng.randrange(20, 90))
        if slots:
            turn: dict[str, Any] = {"confidence": round(self.rng.uniform(0.72, 0.97), 2), "next_action": "ask"} | slots
            self.post.platform(AiTurnCompleted(**self._about("turn"), contact=self._contact(), channel="whatsapp", **turn))
            model = "aria-large" if happens(self.rng, 0.2) else "aria-small"
            self._use("llm_input", self.rng.randrange(300, 2600), model=model)
            self._use("llm_output", self.rng.randrange(60, 480), model=model)
        self._send("ai", self._line(phrases.ANSWER))

    def human(self, person: str | None = None) -> None:
        """One of our people writes, now."""
        person = person or self.rng.choice(self.business.people)
        self._send("human", self._line(phrases.PERSON).format(person=person[2:].title()), person_id=person)

    def attempt(self, number: int) -> None:
        """A recovery template goes out, now, as the `number`-th attempt."""
        self._send("automation", None, template=RECOVERY_TEMPLATE, action_id=f"sim-recovery-{number}-{self.post.next_id('a')}")

    def event(self, kind: LeadKind, person: str | None = None, value_minor: int | None = None) -> None:
        """One of our people, or a rule, does something with the lead, now."""
        currency = self.business.profile.currency if value_minor is not None else None
        about = self._about("change")
        own: dict[str, Any] = {"person_id": person, "value_minor": value_minor, "currency": currency, "channel": "whatsapp"}
        self.post.platform(LeadChanged(**about, kind=kind, contact=self._contact(), **own))

    def kept(self, *metrics: Metric) -> None:
        """What was promised to this lead and is kept by what the story tells."""
        self.truth.sla_met += [Promise(self.phone, metric) for metric in metrics]

    def move_number(self, digits: str) -> None:
        """The lead changes to another phone, now."""
        self.post.whatsapp(whatsapp.changed_number(self.now, self._wamid(is_outbound=False), self.name, self.digits, digits))
        self.digits = digits

    def move_user_id(self, user_id: str) -> None:
        """The lead's business-scoped user id changes, now."""
        self.post.whatsapp(whatsapp.new_user_id(self.now, self.digits, self.user_id, user_id))
        self.user_id = user_id

    def opt_out(self) -> None:
        """The lead stops marketing messages, now."""
        self.post.whatsapp(whatsapp.opt_out(self.now, self._who()))

    def chat(self, goal: Goal, verdict: str = "continue", *, is_from_ad: bool = False) -> None:
        """Two or three turns of the qualification, 5 to 40 minutes in all; the last message is ours.

        What is known at the end makes the goal true whatever the engagement (0 to 20 points): hot is 30 + 20 + 20 + 10 = 80 and
        more, and 61 at most before its last turn; warm is 12 + 12 + 14 = 38 to 58; cold is 25 at most.
        """
        self.kept("first_response", "next_response")
        typical, currency = self.business.typical_deal_minor, self.business.profile.currency
        full, half = typical * self.rng.randrange(12, 20) // 10, typical * self.rng.randrange(55, 80) // 100
        amount = full if goal == "hot" else half
        last: dict[str, Any] = {"verdict": verdict, "next_action": "hand_over" if goal == "hot" else "nurture"}
        self.say(phrases.GREETING, is_from_ad=is_from_ad)
        self.answer(intent="exploring" if goal != "cold" else "support")
        self._pause()
        if goal == "cold":
            self.say(phrases.LATER)
            self.answer(intent=self.rng.choice(("none", "support")), timeline_days=self.rng.choice((None, 200)), **last)
            return
        self.say(phrases.BUDGET, phrases.money(amount // 100, currency))
        budget = {"budget_minor": amount, "budget_currency": currency}
        if goal == "warm":
            self.answer(intent="exploring", timeline_days=self.rng.randrange(14, 28), **budget, **last)
            return
        self.answer(intent="comparing", **budget)
        self._pause()
        self.say(phrases.READY)
        days = self.rng.randrange(1, 6)
        self.answer(intent="ready_to_buy", timeline_days=days, buying_signal="asks_how_to_pay", **budget, **last)

    def again(self) -> None:
        """The lead asks something, and the assistant answers at once, outside the qualification."""
        self.say(phrases.AGAIN)
        self.answer()

    def _pause(self) -> None:
        self.wait(seconds=self.rng.randrange(40, 600))

    def _line(self, stage: Mapping[str, tuple[str, ...]]) -> str:
        return self.rng.choice(stage[self.language])

    def _content(self, stage: Mapping[str, tuple[str, ...]], extra: str | None) -> dict[str, Any]:
        if self.secret is not None:
            words, self.secret = self.secret, None
            return whatsapp.text(words)
        kind = "text" if extra else self.rng.choice(_KINDS)
        if kind in {"image", "audio"}:
            return whatsapp.media(kind, self.rng)
        words = self._line(stage).format(budget=extra, product=self.rng.choice(phrases.PRODUCTS))
        return whatsapp.button(words[:20], self.rng) if kind == "interactive" else whatsapp.text(words)

    def _who(self) -> whatsapp.Who:
        wa_id = None if self.naming == "user_id" and not self.is_new else self.digits
        return whatsapp.Who(self.name, wa_id, None if self.naming == "phone" else self.user_id)

    def _contact(self) -> Contact:
        return Contact("wa_user_id", self.user_id) if self._who().wa_id is None else Contact("phone", self.phone)

    def _wamid(self, *, is_outbound: bool) -> str:
        return whatsapp.wamid(self.digits, self.rng, is_outbound=is_outbound)

    def _about(self, prefix: str) -> dict[str, Any]:
        moment = self.now + timedelta(microseconds=self.rng.randrange(1000, 900_000))
        return {"id": self.post.next_id(prefix), "account_id": self.business.workspace, "occurred_at": moment}

    def _said(self, content: dict[str, Any]) -> whatsapp.Item:
        self._noted("inbound", "received")
        return whatsapp.message(self.now, self._wamid(is_outbound=False), self._who(), content)

    def _noted(self, direction: str, status: str) -> None:
        self.truth.messages[f"whatsapp {direction}"] += 1
        self.truth.statuses[f"whatsapp {status}"] += 1

    def _use(self, kind: UsageKind, quantity: int, model: str = "", category: str = "") -> None:
        own: dict[str, Any] = {"model": model or None, "category": category or None, "channel": "whatsapp"}
        event = TokensUsed(**self._about("use"), kind=kind, quantity=quantity, contact=self._contact(), **own)
        self.post.platform(event)
        self.post.spend(event.occurred_at, kind, quantity, model, category)

    def _send(
        self,
        author: Literal["human", "ai", "automation"],
        words: str | None,
        *,
        person_id: str | None = None,
        template: str | None = None,
        action_id: str | None = None,
        is_refused: bool = False,
    ) -> None:
        message_id, category = self._wamid(is_outbound=True), "marketing" if template else "service"
        own: dict[str, Any] = {"person_id": person_id, "template_name": template, "action_id": action_id, "text": words}
        place: dict[str, Any] = {"channel": "whatsapp", "channel_account_id": self.business.number_id, "message_id": message_id}
        kind = "template" if template else "text"
        sent = MessageSent(**self._about("sent"), contact=self._contact(), author_type=author, message_type=kind, **place, **own)
        self.post.platform(sent)
        self._use("message", 1, category=category)
        if is_refused:
            self._noted("outbound", "failed")
            self.post.whatsapp(whatsapp.refused(self.now + timedelta(seconds=1), message_id, self._who()))
        else:
            self._statuses(message_id, category)

    def _statuses(self, message_id: str, category: str) -> None:
        """Sent, delivered and read; `delivered` is skipped now and then, and what would come after the end does not come."""
        who, at = self._who(), self.now + timedelta(seconds=1)
        states = ["sent"] + ["delivered"] * happens(self.rng, 0.88) + ["read"] * happens(self.rng, 0.7)
        items = []
        for state in states:
            if at >= self.end:
                break
            items.append(whatsapp.status(at, message_id, state, who, category))
            at += timedelta(seconds=self.rng.randrange(1, 40))
        self._noted("outbound", states[len(items) - 1] if items else "accepted")
        if len(items) > 1 and happens(self.rng, 0.3):
            self.post.whatsapp(*items)
            return
        for item in items:
            self.post.whatsapp(item)
