"""Stories that show more of WhatsApp: calls, forms, second thoughts, a new user id, a message that came too late.

None leaks and none is a candidate for recovery: each is answered in minutes and ends won or lost. Not here: leads as most are (`stories`).
"""

from orchestration.simulator import phrases, whatsapp
from orchestration.simulator.lead import Lead


def called(lead: Lead) -> None:
    """Calls, and a person of ours answers from the phone app."""
    lead.at(lead.earlier(2)).call(lead.rng.randrange(20, 200))
    lead.wait(minutes=4).from_the_phone()
    lead.kept("first_response", "resolution")
    lead.wait(hours=5).event("won", "p_asha", lead.business.typical_deal_minor)


def filled_in(lead: Lead) -> None:
    """Fills in a form in the chat."""
    lead.at(lead.earlier(2)).say(phrases.GREETING)
    lead.answer()
    lead.wait(minutes=3).put(whatsapp.flow(lead.rng))
    lead.answer()
    lead.kept("first_response", "next_response", "resolution")
    lead.wait(hours=4).event("won", "p_ben", lead.business.typical_deal_minor)


def second_thoughts(lead: Lead) -> None:
    """Changes one message and takes another back; neither opens the window anew."""
    first = lead.at(lead.earlier(2)).put(whatsapp.text("Do you deliver on Sundays?"))
    lead.wait(seconds=30).put(whatsapp.edit(first, "Do you deliver on Saturdays?"))
    second = lead.wait(seconds=20).put(whatsapp.text("My card is 4111 1111 1111 1111"))
    lead.wait(seconds=9).put(whatsapp.revoke(second))
    lead.answer()
    lead.kept("first_response", "resolution")
    lead.wait(hours=3).event("lost")


def new_user_id(lead: Lead) -> None:
    """Known by both ids; then the user id changes, and only the new one is named."""
    lead.naming = "both"
    lead.at(lead.earlier(4)).say(phrases.GREETING)
    lead.answer()
    lead.wait(hours=6).move_user_id(f"{lead.user_id[:3]}{lead.rng.randrange(10**19, 10**20)}")
    lead.naming = "user_id"
    lead.wait(hours=6).again()
    lead.kept("first_response", "resolution")
    lead.wait(hours=2).event("lost")


def written_too_late(lead: Lead) -> None:
    """A person of ours writes freely 30 hours after the lead: WhatsApp refuses it."""
    lead.at(lead.earlier(3)).say(phrases.GREETING)
    lead.answer()
    lead.wait(hours=30).too_late()
    lead.kept("first_response", "resolution")
    lead.wait(hours=2).event("lost")
