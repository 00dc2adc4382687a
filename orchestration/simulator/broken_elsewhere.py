"""Broken webhooks of Instagram, Messenger, Gmail and Calendly, each with the reason for its quarantine, and new ones that nobody models.

Not here: those of WhatsApp, Razorpay and our own feed (`broken`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from orchestration.simulator import social
from orchestration.simulator.business import Business
from orchestration.simulator.gmail import Mail, Mailbox
from orchestration.simulator.google import forged_token
from orchestration.simulator.wire import Wire, calendly_wire, fetched_wire, meta_json, meta_wire, push_wire

NEW = ("unmodelled",)


@dataclass(frozen=True, slots=True)
class Broken:
    """One line: its bytes, the reason if it is broken, whether its tenant can be known, and the lake tables that its good items fill."""

    line: bytes
    reason: str | None
    is_tenant_known: bool
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Makes them for one tenant. `secret_text` is personal data that lies in them."""

    business: Business
    secret_text: str
    rng: Random

    def kinds(self) -> tuple[Callable[[datetime], Broken], ...]:
        """Each kind of mistake, to be made at some moment."""
        return (self._untimed, self._half_signed, self._unknown_change, self._stale, self._unknown_step, self._forged_push, self._no_mail)

    def _untimed(self, at: datetime) -> Broken:
        """A message without a time, in an entry without one."""
        body = self._message("messenger", at)
        del body["entry"][0]["messaging"][0]["timestamp"], body["entry"][0]["time"]
        return Broken(self._meta("messenger", body).line(at), "bad_time", True)

    def _half_signed(self, at: datetime) -> Broken:
        """Signed with the secret of another app of Meta's."""
        raw = meta_json(self._message("instagram", at))
        return Broken(meta_wire("instagram", raw, self.business.secrets["whatsapp_app"], self.rng).line(at), "wrong_signature", True)

    def _unknown_change(self, at: datetime) -> Broken:
        body = self._message("instagram", at)
        del body["entry"][0]["messaging"]
        body["entry"][0]["changes"] = [{"field": "teleported_posts", "value": {"text": self.secret_text}}]
        return Broken(self._meta("instagram", body).line(at), None, True, NEW)

    def _stale(self, at: datetime) -> Broken:
        """Signed an hour before it arrives: recorded by somebody and sent again."""
        return Broken(self._calendly("invitee.created", at, at - timedelta(hours=1)), "wrong_signature", True)

    def _unknown_step(self, at: datetime) -> Broken:
        return Broken(self._calendly("invitee.levitated", at, at), None, True, NEW)

    def _forged_push(self, at: datetime) -> Broken:
        """A token that says all the right things, signed by nobody."""
        mailbox = Mailbox(self.business.accounts["sales"], 1)
        return Broken(push_wire(mailbox.push(0, at), forged_token(at, self.rng)).line(at), "wrong_signature", True)

    def _no_mail(self, at: datetime) -> Broken:
        """A mail of nobody to nobody."""
        mailbox = Mailbox(self.business.accounts["sales"], 1)
        mail = Mail("<x@mail.example>", "1", mailbox.address, mailbox.address, "Note to self", self.secret_text, at)
        return Broken(fetched_wire(mailbox.answer(mail, "1"), self.business.gmail_secret).line(at), "bad_contact", True)

    def _message(self, channel: social.Channel, at: datetime) -> dict[str, Any]:
        thread = social.Thread(channel, self.business.accounts[channel], "7000000000000001")
        item = social.message(thread, at, social.new_mid(channel, self.rng), text=self.secret_text)
        return social.envelope(channel, thread.account, [item], at)

    def _meta(self, channel: social.Channel, body: dict[str, Any]) -> Wire:
        return meta_wire(channel, meta_json(body), self.business.secrets["meta_app"], self.rng)

    def _calendly(self, event: str, at: datetime, signed_at: datetime) -> bytes:
        uri = f"https://api.calendly.com/users/{self.business.accounts['calendly']}"
        body = {"event": event, "created_at": at.isoformat(), "created_by": uri, "payload": {"uri": "x", "name": self.secret_text}}
        return calendly_wire(json.dumps(body), self.business.secrets["calendly"], signed_at).line(at)
