"""Stories without a leak, and the list of all stories with how often each is told.

Here belong the plain lives of leads. Not here: leaks (`stories_leaks`), silence (`stories_recovery`).
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from orchestration.simulator import phrases, stories_channel, stories_leaks, stories_recovery
from orchestration.simulator.chance import happens
from orchestration.simulator.lead import Lead
from orchestration.simulator.people import next_phone
from orchestration.simulator.truth import NumberChange


def won(lead: Lead) -> None:
    """Qualified, next step after 2 hours, assigned, and bought a day later."""
    lead.at(lead.earlier(4)).chat("warm", "qualified")
    lead.wait(hours=2).event("next_step_set", "p_ben")
    lead.event("assigned", "p_ben")
    lead.wait(minutes=20).human("p_ben")
    lead.wait(hours=20).again()
    lead.wait(hours=3).event("won", "p_ben", lead.business.typical_deal_minor)
    lead.kept("hand_over", "resolution")
    lead.wait(minutes=5).event("resolved", "p_ben")


def lost(lead: Lead) -> None:
    """A short chat that leads nowhere; often one that an ad began."""
    lead.at(lead.earlier(1.5)).chat("cold", is_from_ad=happens(lead.rng, 0.6))
    lead.kept("resolution")
    lead.wait(hours=5).event("lost")


def active(lead: Lead) -> None:
    """In the middle of it: our last message is hours old."""
    lead.at(lead.earlier(2 / 24, 15 / 24)).chat(lead.rng.choice(("cold", "warm")))


def moved(lead: Lead) -> None:
    """Writes from one number, changes to another, writes on from there, and buys."""
    old = lead.digits
    lead.at(lead.earlier(6)).chat("warm")
    lead.wait(hours=lead.rng.randrange(20, 40)).move_number(next_phone(old))
    lead.truth.number_changes.append(NumberChange(f"+{old}", lead.phone))
    lead.wait(hours=lead.rng.randrange(2, 20)).again()
    lead.kept("resolution")
    lead.wait(hours=6).event("won", "p_chen", lead.business.typical_deal_minor)


def both_ids(lead: Lead) -> None:
    """Each webhook names the phone and the business-scoped user id."""
    lead.naming = "both"
    active(lead)


def user_id_only(lead: Lead) -> None:
    """The first webhook names both ids, all later ones the user id alone; we answer to that."""
    lead.naming = "both"
    lead.at(lead.earlier(6)).say(phrases.GREETING)
    lead.answer(intent="exploring")
    lead.naming = "user_id"
    lead.wait(hours=3).again()
    lead.kept("first_response", "resolution")
    lead.wait(hours=8).event("lost")


def escalated(lead: Lead) -> None:
    """Asks for a human, who is there in minutes."""
    lead.at(lead.earlier(4)).say(phrases.GREETING)
    lead.answer(intent="exploring")
    lead.wait(minutes=2).say(phrases.HUMAN)
    lead.answer(intent="exploring", verdict="escalate", next_action="hand_over", asked_for_human=True)
    lead.event("escalated")
    lead.wait(minutes=4).event("assigned", "p_asha")
    lead.wait(minutes=6).human("p_asha")
    lead.kept("first_response", "next_response", "hand_over", "resolution")
    lead.wait(hours=5).event("won", "p_asha", lead.business.typical_deal_minor)


class Story(NamedTuple):
    """A way for a lead's life to go, its share of all leads, and for how many days a simulation must run to hold it."""

    tell: Callable[[Lead], None]
    weight: float
    days: float = 7


STORIES = (
    Story(won, 10),
    Story(lost, 20),
    Story(active, 12),
    Story(moved, 2, 8),
    Story(both_ids, 3),
    Story(user_id_only, 2),
    Story(escalated, 3),
    Story(stories_channel.called, 2),
    Story(stories_channel.filled_in, 2),
    Story(stories_channel.second_thoughts, 2),
    Story(stories_channel.new_user_id, 1),
    Story(stories_channel.written_too_late, 1),
    Story(stories_leaks.no_reply_open, 3),
    Story(stories_leaks.no_reply_closed, 4, 10),
    Story(stories_leaks.night_owl, 4, 12),
    Story(stories_leaks.just_asked, 2),
    Story(stories_leaks.nearly_late, 2),
    Story(stories_leaks.hot_served, 5),
    Story(stories_leaks.hot_unassigned_open, 2),
    Story(stories_leaks.hot_unassigned_closed, 3),
    Story(stories_leaks.assigned_idle_open, 2),
    Story(stories_leaks.assigned_idle_closed, 3, 10),
    Story(stories_leaks.no_next_step_open, 2),
    Story(stories_leaks.no_next_step_closed, 3),
    Story(stories_leaks.window_closing_open, 2),
    Story(stories_leaks.window_closing_closed, 2, 10),
    Story(stories_recovery.first_due, 8, 8),
    Story(stories_recovery.second_due, 4, 9),
    Story(stories_recovery.third_due, 2, 12),
    Story(stories_recovery.exhausted, 2, 12),
    Story(stories_recovery.second_waiting, 3),
    Story(stories_recovery.expired, 4, 9),
    Story(stories_recovery.recovered, 3),
    Story(stories_recovery.opted_out, 3),
)


def choose(count: int, days: int, rng: Random) -> Iterator[Story]:
    """One story a lead: first each that fits into the days once, the rest by weight."""
    fitting = [story for story in STORIES if story.days <= days]
    weights = [story.weight for story in fitting]
    once = rng.sample(fitting, len(fitting))
    yield from once[:count]
    for _ in range(count - len(once)):
        yield rng.choices(fitting, weights)[0]
