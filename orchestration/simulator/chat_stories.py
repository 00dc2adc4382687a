"""Stories of people on Messenger and Instagram: each says by its own script how many conversations, windows and violations it plants.

None leaks and none is a candidate for recovery: each question is answered in minutes, and each story ends won or lost. Rules of this
build: a conversation ends after 72 hours of silence (planted: 80 and more, or 50), the window after 24 hours (50 and more), a person's
after 7 days (4 at most). Not here: the verbs (`chat`).
"""

from collections.abc import Callable

from orchestration.simulator import phrases, social
from orchestration.simulator.chat import Chat


def helped(chat: Chat) -> None:
    """A question, the assistant's answer, a tapped answer, a person of ours; delivered and read; bought."""
    chat.at(chat.earlier(2)).say(phrases.GREETING["en"][0])
    chat.assistant()
    chat.wait(seconds=50).say("The larger one", quick_reply={"payload": "SIZE_L"})
    mid = chat.wait(minutes=4).person()
    chat.wait(seconds=2).deliver()
    chat.wait(seconds=30).read(mid)
    chat.wait(hours=5).event("won")
    chat.note()


def second_thoughts(chat: Chat) -> None:
    """One message is changed, another taken back; neither opens a window of its own."""
    first = chat.at(chat.earlier(2)).ask()
    chat.wait(seconds=40).edit(first, "Do you deliver on Sundays, I mean?")
    second = chat.wait(seconds=20).say("My number is 98450 12345")
    chat.wait(seconds=5).take_back(second)
    chat.assistant()
    chat.wait(hours=3).event("lost")
    chat.note()


def from_an_ad(chat: Chat) -> None:
    """Comes by an ad, presses the first button, likes our answer and takes it back; a person writes."""
    chat.at(chat.earlier(2)).come_by_ad()
    chat.wait(seconds=4).press("Get started", has_id=chat.rng.random() < 0.5)
    mid = chat.assistant()
    chat.wait(seconds=30).react(mid, "❤")
    chat.wait(seconds=20).react(mid, None)
    mid = chat.wait(minutes=3).person()
    chat.wait(minutes=1).read(mid)
    chat.wait(hours=2).event("lost")
    chat.note()


def came_back(chat: Chat) -> None:
    """Asks again 80 hours later: a second conversation and a second window; a person's window is still the first."""
    chat.at(chat.earlier(4.5)).ask()
    chat.assistant()
    chat.wait(hours=80).ask()
    chat.assistant()
    chat.wait(hours=2).event("won")
    chat.note(conversations=2, service=2)


def person_after_days(chat: Chat) -> None:
    """A person of ours writes 80 hours after the last word: allowed for seven days, and a conversation of its own."""
    chat.at(chat.earlier(4.5)).ask()
    chat.assistant()
    chat.wait(hours=80).person()
    chat.wait(hours=2).event("lost")
    chat.note(conversations=2)


def app_after_days(chat: Chat) -> None:
    """An app of ours writes 50 hours after the last word: outside the window, and no person."""
    chat.at(chat.earlier(3.5)).ask()
    chat.assistant()
    chat.wait(hours=50).campaign()
    chat.truth.violations[f"{chat.channel} outside_window"] += 1
    chat.wait(hours=2).event("lost")
    chat.note()


def story_reply(chat: Chat) -> None:
    """Answers a story (Instagram) or sends a picture (Messenger), and comments in public."""
    if chat.channel == "instagram":
        story = {"id": "18000000000000001", "url": "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1"}
        chat.at(chat.earlier(2)).say("Is this still to be had?", reply_to={"story": story})
    else:
        picture = {"type": "image", "payload": {"url": "https://scontent.xx.fbcdn.net/v/t1.15752-9/1.jpg"}}
        chat.at(chat.earlier(2)).say(attachments=[picture])
    chat.assistant()
    comment_id = str(chat.rng.randrange(10**16, 10**17))
    chat.wait(minutes=20).tell(social.comment(chat.thread, chat.now, comment_id, "Love it!"), "commented")
    chat.wait(hours=4).event("won")
    chat.note()


def handed_over(chat: Chat) -> None:
    """The assistant hands the thread to the inbox, a person answers there; the lead wants to hear of news."""
    chat.at(chat.earlier(2)).say(phrases.HUMAN["en"][0])
    chat.assistant()
    chat.wait(seconds=5).tell(social.passed(chat.thread, chat.now, social.INBOX_APPS[chat.channel]), "thread_passed")
    chat.wait(minutes=5).person()
    chat.wait(minutes=5).tell(social.optin(chat.thread, chat.now), "opted_in")
    chat.wait(hours=1).event("won")
    chat.note()


STORIES: tuple[Callable[[Chat], None], ...] = (
    helped, second_thoughts, from_an_ad, came_back, person_after_days, app_after_days, story_reply, handed_over,
)  # fmt: skip
"""Told in turn, so that eight people of a channel hold every story."""
