"""Stories that leak, or that look as if they did: each says by its own script which leaks it plants, with a wide margin.

Limits of this build: no reply in 30 business minutes (planted: 90 to 150; or 10 over a whole night, which is none), a hot
lead unassigned for 15 minutes (40 and more; or 3), assigned and idle for 4 business hours (5 and more; or 20 minutes),
qualified without next step for 24 hours (30 and more; or 2), the window's last 2 hours with the lead waiting (23 hours; all
others answer within 20). A story that is over ends won or lost; one that must not yet be a recovery candidate has a last
message of ours younger than 20 hours. Every open leak is less than 23 hours old, since alerts lapse after 24.
Service levels: a reply within 30 business minutes, an hour of waiting for us in all, a person within 4 business hours of being asked for.
"""

from datetime import timedelta

from orchestration.simulator import phrases
from orchestration.simulator.lead import Lead
from orchestration.simulator.truth import Promise

_H = timedelta(hours=1)
_M = timedelta(minutes=1)


def no_reply_open(lead: Lead) -> None:
    """The lead asks in business hours and nobody answers."""
    waiting = timedelta(minutes=lead.rng.randrange(90, 120))
    asked_at = lead.business.hours.before(lead.end, waiting)
    lead.at(asked_at - lead.rng.randrange(2, 8) * _H).chat("warm")
    lead.at(asked_at).say(phrases.AGAIN)
    lead.truth.leak(lead.phone, "no_reply", is_open=True)
    lead.truth.breach(lead.phone, "next_response", "resolution", is_open=True)


def no_reply_closed(lead: Lead) -> None:
    """A person answers after 90 to 150 minutes of the same shift, so all of them business minutes."""
    lead.at(lead.business.hours.pick(lead.rng, lead.start + 2 * _H, lead.end - 96 * _H, 165 * _M))
    lead.say(phrases.GREETING)
    lead.wait(minutes=lead.rng.randrange(90, 150)).human()
    lead.truth.leak(lead.phone, "no_reply", is_open=False)
    lead.truth.breach(lead.phone, "first_response", "resolution", is_open=False)
    lead.wait(hours=5).event("lost")


def night_owl(lead: Lead) -> None:
    """No leak: asked and assigned after closing, answered by a person 10 minutes after the business opens."""
    nights = lead.business.hours.nights(lead.start + 2 * _H, lead.end - 96 * _H)
    shut, opened = lead.rng.choice(nights)
    lead.at(shut + lead.rng.randrange(40, 100) * _M).say(phrases.GREETING)
    lead.wait(minutes=5).event("assigned", "p_ben")
    lead.at(opened + 10 * _M).human("p_ben")
    lead.kept("first_response", "hand_over", "resolution")
    lead.wait(hours=6).event("lost")


def just_asked(lead: Lead) -> None:
    """No leak yet: the lead has waited for 5 minutes at the end."""
    lead.at(lead.end - lead.rng.randrange(3, 12) * _H).chat("warm")
    lead.at(lead.end - 5 * _M).say(phrases.GREETING)


def nearly_late(lead: Lead) -> None:
    """No leak yet: the lead has waited for 26 or 27 of 30 business minutes at the end, 80 percent of which were used up at 24."""
    asked_at = lead.business.hours.before(lead.end, timedelta(minutes=26, seconds=lead.rng.randrange(60)))
    lead.at(asked_at - lead.rng.randrange(2, 8) * _H).chat("warm")
    lead.at(asked_at).say(phrases.AGAIN)
    lead.truth.sla_nearly_due.append(Promise(lead.phone, "next_response"))


def hot_served(lead: Lead) -> None:
    """No leak: hot, assigned in 3 minutes, a person writes 10 minutes later, the next step is set after 2 hours."""
    _hot(lead)
    lead.wait(minutes=3).event("assigned", "p_chen")
    lead.wait(minutes=10).human("p_chen")
    lead.kept("hand_over")
    lead.wait(hours=2).event("next_step_set", "p_chen")
    lead.at(lead.end - lead.rng.randrange(2, 16) * _H).again()


def hot_unassigned_open(lead: Lead) -> None:
    """Hot for at least 80 minutes, and nobody has it."""
    lead.at(lead.end - lead.rng.randrange(2, 12) * _H).chat("hot")
    lead.truth.hot.append(lead.phone)
    lead.truth.leak(lead.phone, "hot_unassigned", is_open=True)


def hot_unassigned_closed(lead: Lead) -> None:
    """Hot, and assigned only after 40 to 90 minutes."""
    _hot(lead)
    lead.wait(minutes=lead.rng.randrange(40, 90)).event("assigned", "p_ben")
    lead.wait(minutes=10).human("p_ben")
    lead.kept("hand_over")
    lead.truth.leak(lead.phone, "hot_unassigned", is_open=False)
    lead.wait(hours=1).event("next_step_set", "p_ben")
    lead.at(lead.end - lead.rng.randrange(2, 16) * _H).again()


def _hot(lead: Lead) -> None:
    """Within the conversation gap of what follows near the end."""
    lead.at(lead.end - lead.rng.randrange(24, 60) * _H).chat("hot", "qualified")
    lead.truth.hot.append(lead.phone)


def assigned_idle_open(lead: Lead) -> None:
    """Assigned 5 to 7 business hours ago; the assistant talks on, no person does anything."""
    assigned_at = lead.business.hours.before(lead.end, timedelta(minutes=lead.rng.randrange(300, 420)))
    lead.at(assigned_at - 2 * _H).chat("warm")
    lead.at(assigned_at).event("assigned", "p_asha")
    lead.at(lead.end - lead.rng.randrange(60, 180) * _M).again()
    lead.truth.leak(lead.phone, "assigned_idle", is_open=True)
    lead.truth.breach(lead.phone, "hand_over", is_open=True)


def assigned_idle_closed(lead: Lead) -> None:
    """A person acts only after 6 to 8 business hours."""
    hours = lead.business.hours
    assigned_at = hours.pick(lead.rng, lead.start + 4 * _H, lead.end - 120 * _H, 30 * _M)
    lead.at(assigned_at - 2 * _H).chat("warm")
    lead.at(assigned_at).event("assigned", "p_asha")
    lead.at(hours.after(assigned_at, timedelta(minutes=lead.rng.randrange(360, 480)))).event("human_action", "p_asha")
    lead.truth.leak(lead.phone, "assigned_idle", is_open=False)
    lead.truth.breach(lead.phone, "hand_over", is_open=False)
    lead.wait(hours=1).again()  # a conversation that fell silent is over: this one is won
    lead.kept("resolution")
    lead.wait(hours=1).event("won", "p_asha", lead.business.typical_deal_minor)


def no_next_step_open(lead: Lead) -> None:
    """Qualified 30 to 45 hours ago, and no next step: a leak for 6 to 21 hours, so an alert about it has not lapsed."""
    lead.at(lead.end - lead.rng.randrange(31, 46) * _H).chat("warm", "qualified")
    lead.at(lead.end - lead.rng.randrange(2, 18) * _H).again()
    lead.truth.leak(lead.phone, "no_next_step", is_open=True)


def no_next_step_closed(lead: Lead) -> None:
    """The next step comes after 30 to 40 hours."""
    lead.at(lead.earlier(4)).chat("warm", "qualified")
    lead.wait(hours=lead.rng.randrange(30, 40)).event("next_step_set", "p_ben")
    lead.truth.leak(lead.phone, "no_next_step", is_open=False)
    lead.kept("resolution")
    lead.wait(hours=3).event("won", "p_ben", lead.business.typical_deal_minor)


def window_closing_open(lead: Lead) -> None:
    """The lead has waited for 23 hours, among them hours of business; the window has an hour left."""
    lead.at(lead.end - 26 * _H).chat("warm")
    lead.at(lead.end - 23 * _H + lead.rng.randrange(-15, 15) * _M).say(phrases.AGAIN)
    lead.truth.leak(lead.phone, "window_closing", is_open=True)
    lead.truth.leak(lead.phone, "no_reply", is_open=True)
    lead.truth.breach(lead.phone, "next_response", "resolution", is_open=True)


def window_closing_closed(lead: Lead) -> None:
    """A person answers an hour before the window closes; 90 minutes of business had passed in the first shift alone."""
    lead.at(lead.business.hours.pick(lead.rng, lead.start + 2 * _H, lead.end - 96 * _H, 90 * _M))
    lead.say(phrases.GREETING)
    lead.wait(hours=23, minutes=lead.rng.randrange(-15, 15)).human()
    lead.truth.leak(lead.phone, "window_closing", is_open=False)
    lead.truth.leak(lead.phone, "no_reply", is_open=False)
    lead.truth.breach(lead.phone, "first_response", "resolution", is_open=False)
    lead.wait(hours=1).event("lost")
