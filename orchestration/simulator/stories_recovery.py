"""Stories of leads that fell silent: which recovery attempt is due at the end, if any.

Rules of this build: attempt 1 is due 24 hours after our last message, attempt 2 72 hours after attempt 1, attempt 3 seven
days after attempt 2; each expires 7 days after it was due. Margins are an hour and more. No story here is qualified,
assigned or hot.
"""

from datetime import timedelta

from orchestration.simulator import phrases
from orchestration.simulator.lead import Lead
from orchestration.simulator.truth import Candidate

_ROUND = 30  # minutes after which an attempt that was due went out


def first_due(lead: Lead) -> None:
    """Silent for 26 hours to 7 days."""
    _talk(lead, 27 / 24, 7)
    lead.truth.recovery_due.append(Candidate(lead.phone, 1))


def second_due(lead: Lead) -> None:
    """Attempt 1 went out 74 hours to 6.5 days ago."""
    _talk(lead, 4 + 5 / 24, 8)
    _attempts(lead, 1)
    lead.truth.recovery_due.append(Candidate(lead.phone, 2))


def third_due(lead: Lead) -> None:
    """Attempt 2 went out between 7 days 3 hours and 7 days 16 hours ago."""
    _talk(lead, 11 + 6 / 24, 11.7)
    _attempts(lead, 2)
    lead.truth.recovery_due.append(Candidate(lead.phone, 3))


def exhausted(lead: Lead) -> None:
    """All three attempts went out, and none is left."""
    _talk(lead, 11 + 6 / 24, 11.7)
    _attempts(lead, 2)
    lead.at(lead.end - timedelta(minutes=lead.rng.randrange(50, 70))).attempt(3)


def second_waiting(lead: Lead) -> None:
    """Attempt 1 went out a day or two ago; the second is not due."""
    _talk(lead, 2 + 3 / 24, 3.5)
    _attempts(lead, 1)


def expired(lead: Lead) -> None:
    """Silent for more than 8 days and 6 hours, and nothing was sent: the first attempt's time is over."""
    lead.at(lead.earlier(8 + 8 / 24)).chat("cold")


def recovered(lead: Lead) -> None:
    """Attempt 1 was answered a few hours later, and the lead bought."""
    lead.at(lead.earlier(5)).chat("warm")
    _attempts(lead, 1)
    lead.wait(hours=4).say(phrases.AGAIN)
    lead.answer()
    lead.kept("resolution")
    lead.wait(hours=10).event("won", "p_chen", lead.business.typical_deal_minor)


def opted_out(lead: Lead) -> None:
    """Silent for long enough, but the lead wants nothing any more."""
    _talk(lead, 3, 6)
    lead.wait(minutes=lead.rng.randrange(10, 50)).opt_out()
    lead.truth.opt_outs.append(lead.phone)


def _talk(lead: Lead, days: float, at_most: float) -> None:
    """A chat that begins between these numbers of days before the end."""
    lead.at(lead.earlier(days, at_most)).chat(lead.rng.choice(("cold", "warm")))


def _attempts(lead: Lead, count: int) -> None:
    waits = (timedelta(hours=24), timedelta(hours=72))
    for number, length in enumerate(waits[:count], 1):
        lead.at(lead.now + length + timedelta(minutes=_ROUND)).attempt(number)
