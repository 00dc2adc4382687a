"""A mailbox read over real HTTP: nothing is lost and nothing counts twice, whatever fails, and what is handed in ingestion believes."""

import logging
import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.events import AccountEvent, Message, Unmodelled
from core.intake import Rejected
from core.plans import WATCH_DAILY, WATCH_URGENT, is_watch_due
from core.pulling import Pulled
from orchestration.resources.pull import gmail as gmail_api
from orchestration.resources.pull import handover
from orchestration.resources.pull.accounts import Accounts
from orchestration.resources.pull.cursors import alone
from tests.orchestration.pulling import NOW, TOPIC, Pulling, b64, mail, service_account


def mails(pulling: Pulling) -> list[str]:
    """Ids of the mails that were handed in, once each."""
    return sorted(set(pulling.ids("messages")))


def expected(*numbers: int) -> list[str]:
    return sorted(f"gmail:<{number}@example.com>" for number in numbers)


def place(pulling: Pulling) -> dict[str, Any]:
    with pulling.state.begin() as connection:
        query = text("select cursor from ops.pull_cursors where tenant_id = :name and resource = 'history'")
        return dict(connection.execute(query, {"name": pulling.name}).scalar() or {})


def done(pulled: Pulled) -> tuple[int, int]:
    assert (pulled.state, pulled.error) == ("done", "")
    return pulled.items, pulled.bodies


def test_the_first_look_lists_the_last_days_and_every_other_one_follows_the_history(pulling: Pulling) -> None:
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    gmail.receive(box, mail(1, NOW - timedelta(days=29)))
    gmail.receive(box, mail(2, NOW - timedelta(days=31)))
    gmail.receive(box, mail(3, NOW - timedelta(hours=1), labels=["SPAM"]))
    assert done(pulling.poll()) == (1, 1)
    assert mails(pulling) == expected(1)
    assert place(pulling) == {"mode": "history", "history_id": str(gmail.places[box])}
    before = pulling.segments()
    assert done(pulling.poll()) == (0, 0)
    assert pulling.segments() == before  # a look that finds nothing leaves no segment
    gmail.receive(box, mail(4))
    gmail.receive(box, mail(5))
    gmail.delete(box, "m5")
    gmail.delete(box, "m1")
    assert done(pulling.poll()) == (2, 2)  # the page and one mail; the other is gone already
    assert mails(pulling) == expected(1, 4)
    told = {(each.kind, each.subject) for each in pulling.events() if isinstance(each, AccountEvent)}
    assert {("history.message_deleted", "m1"), ("history.message_added", "m5")} <= told
    assert all("me/" in each for each in pulling.vendors.asked if "/gmail/" in each)
    assert not any(box in each for each in pulling.vendors.asked)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 20 and segments of one page: what 100 and 10 do, with fewer mails."""
    monkeypatch.setattr(gmail_api, "PAGE", 20)
    monkeypatch.setattr(handover, "PAGES_A_SEGMENT", 1)


def test_pages_are_followed_to_their_end_and_a_repeated_record_is_asked_for_once(pulling: Pulling, small_pages: None) -> None:
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    gmail.receive(box, mail(0))
    pulling.poll()
    for number in range(1, 51):
        gmail.receive(box, mail(number), step=random.Random(number).randrange(1, 5000))
    assert done(pulling.poll())[0] == 50
    assert mails(pulling) == expected(*range(51))
    assert len([each for each in pulling.vendors.asked if "/m50?" in each]) == 1
    for number in range(51, 71):
        gmail.receive(box, mail(number))
    assert done(pulling.poll())[0] == 21  # here the repeat is on a page of its own
    assert mails(pulling) == expected(*range(71))


def test_a_place_that_gmail_has_forgotten_lists_all_of_the_last_days_and_what_comes_meanwhile_is_not_lost(
    pulling: Pulling, small_pages: None
) -> None:
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    gmail.receive(box, mail(1))
    pulling.poll()
    for number in range(2, 32):
        gmail.receive(box, mail(number, NOW - timedelta(minutes=number)))
    gmail.forget_before(gmail.places[box])
    gmail.arriving[box] = mail(900, NOW + timedelta(seconds=1))  # after the first page of the list was given
    assert pulling.poll().state == "done"
    assert mails(pulling) == expected(*range(1, 32), 900)
    assert place(pulling)["history_id"] == str(gmail.places[box])
    asked = [each for each in pulling.vendors.asked if "/messages/" not in each]
    lists = [number for number, each in enumerate(asked) if "/me/messages?" in each]
    profiles = [number for number, each in enumerate(asked) if "/me/profile" in each]
    assert len(profiles) == 2
    assert profiles[1] < lists[-2] < lists[-1]  # the newest place is taken before anything is listed


def test_a_listing_that_was_broken_off_goes_on_at_its_page_and_an_old_page_begins_it_anew(pulling: Pulling, small_pages: None) -> None:
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    for number in range(70):
        gmail.receive(box, mail(number, NOW - timedelta(minutes=number)))
    original = gmail.answer

    def failing(method: str, path: str, *rest: Any) -> Any:
        return (400, {}) if path == "messages/m52" else original(method, path, *rest)

    gmail.answer = failing  # type: ignore[method-assign]
    failed = pulling.poll()
    assert (failed.state, "HTTP 400" in failed.error) == ("failed", True)
    kept = place(pulling)
    assert (kept["mode"], kept["page"]) == ("listing", "0-40")
    assert len(mails(pulling)) == 40
    gmail.answer = original  # type: ignore[method-assign]
    asked = len(pulling.vendors.asked)
    gmail.page_generation += 1  # tokens of pages are not taken for ever
    assert pulling.poll().state == "done"
    lists = [each for each in pulling.vendors.asked[asked:] if "/me/messages?" in each]
    assert "pageToken=0-40" in lists[0]
    assert "pageToken" not in lists[1]
    assert mails(pulling) == expected(*range(70))
    assert place(pulling)["mode"] == "history"


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_whatever_fails(pulling: Pulling, seed: int) -> None:
    pulling.connect()
    vendors, gmail, box = pulling.vendors, pulling.vendors.gmail, pulling.mailbox
    vendors.rng, vendors.fault_share = random.Random(seed), 0.3
    count = 0
    for _ in range(3):
        for _ in range(vendors.rng.randrange(1, 40)):
            count += 1
            gmail.receive(box, mail(count))
        if vendors.rng.random() < 0.5:
            gmail.tokens.clear()  # every access token ends
        pulling.poll()
    vendors.fault_share = 0.0
    assert pulling.poll().state == "done"
    assert mails(pulling) == expected(*range(1, count + 1))


def test_the_place_moves_only_when_what_lies_before_it_is_in_a_closed_segment(pulling: Pulling, monkeypatch: pytest.MonkeyPatch) -> None:
    pulling.connect()
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1))
    pulling.poll()
    before, held = place(pulling), pulling.segments()
    pulling.vendors.gmail.receive(pulling.mailbox, mail(2))
    folder = pulling.settings.inbox
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("no folder")
    with pytest.raises(OSError, match="inbox"):
        pulling.poll()
    folder.unlink()
    folder.with_name("elsewhere").rename(folder)
    assert place(pulling) == before
    assert pulling.segments() == held
    assert done(pulling.poll()) == (1, 2)
    assert mails(pulling) == expected(1, 2)


def test_a_mail_comes_with_the_text_that_gmail_keeps_apart_and_without_its_attachments(pulling: Pulling) -> None:
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    gmail.attachments |= {"att1": b64("A long letter"), "att2": b64("x" * 40)}
    gmail.receive(box, mail(1, body={"size": 13, "attachmentId": "att1"}))
    gmail.receive(box, mail(2, body={"size": 2 << 20, "attachmentId": "att2"}))
    pdf = {"mimeType": "text/plain", "filename": "notes.txt", "headers": [], "body": {"size": 9, "attachmentId": "att2"}}
    gmail.receive(box, with_part := mail(3))
    with_part["payload"]["parts"].append(pdf)
    gmail.receive(box, huge := mail(4, text="Short words"))
    huge["payload"]["parts"].append({"mimeType": "text/html", "filename": "", "headers": [], "body": {"size": 1, "data": "A" * (5 << 20)}})
    pulling.poll()
    found = {each.event_id: each.text for each in pulling.events() if isinstance(each, Message)}
    texts = ["A long letter", "short", "Mail 3", "Short words"]
    assert found == {f"gmail:<{number}@example.com>": words for number, words in enumerate(texts, start=1)}
    assert not any("att2" in each for each in pulling.vendors.asked)


def test_a_place_that_is_refused_again_and_again_ends_in_a_sentence_and_not_in_a_circle(pulling: Pulling) -> None:
    pulling.connect()
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1))
    pulling.vendors.gmail.forget_before(10**9)
    failed = pulling.poll()
    assert (failed.state, "again and again" in failed.error) == ("failed", True)
    assert mails(pulling) == expected(1)
    pulling.vendors.gmail.oldest = 0
    assert pulling.poll().state == "done"


def test_drafts_and_spam_that_the_history_names_are_kept_apart(pulling: Pulling) -> None:
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    pulling.poll()
    gmail.receive(box, mail(1, labels=["DRAFT"]))
    gmail.receive(box, mail(2, labels=["SPAM"]))
    pulling.poll()
    assert {each.kind for each in pulling.events() if isinstance(each, Unmodelled)} == {"mail.draft", "mail.spam"}
    assert mails(pulling) == []


def test_a_token_that_ended_is_renewed_once_and_never_shown(pulling: Pulling, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pulling.connect()
    gmail, box = pulling.vendors.gmail, pulling.mailbox
    gmail.receive(box, mail(1))
    pull = pulling.pull()
    mailbox = next(each for each in pull.mailboxes() if each.tenant_id == pulling.name)
    pull.poll(mailbox)
    assert gmail.issued == 1
    original, ended = gmail.answer, []

    def ending(method: str, path: str, *rest: Any) -> Any:
        if path.startswith("messages/") and not ended:
            ended.append(path)
            gmail.tokens.clear()
        return original(method, path, *rest)

    gmail.answer = ending  # type: ignore[method-assign]
    gmail.receive(box, mail(2))
    assert pull.poll(mailbox).state == "done"
    assert gmail.issued >= 3  # one for the look, one more after the 401
    assert mails(pulling) == expected(1, 2)
    shown = caplog.text + repr(pull) + str(Accounts(pulling.state, pulling.vault).connected("gmail", NOW))
    assert not [secret for secret in ("ya29.", "client secret", f"1//{pulling.name}", "our own") if secret in shown]


def test_a_credential_that_google_no_longer_takes_says_so_and_the_next_look_is_at_the_usual_pace(pulling: Pulling) -> None:
    pulling.connect()
    pulling.vendors.gmail.refresh_tokens.clear()
    failed = pulling.poll()
    assert failed.state == "failed"
    assert failed.error.startswith(f"tenant {pulling.name}, connection mail: ")
    assert "(invalid_grant): the credential has expired" in failed.error
    assert "flexoraa tenant apply" in failed.error
    assert pulling.mailbox not in failed.error
    (mailbox,) = pulling.pull().mailboxes()
    assert mailbox.tried_at == pulling.time.moment
    pulling.vendors.gmail.refresh_tokens[f"1//{pulling.name}"] = pulling.mailbox
    pulling.vendors.gmail.missing_scope = True
    assert "gmail.readonly is needed" in pulling.poll().error
    pulling.connect(GOOGLE="not json: hunter2")
    refused = pulling.poll()
    assert "access_token is not the JSON that Google gives" in refused.error
    assert "hunter2" not in refused.error


def test_a_service_account_acts_for_the_mailbox_and_only_the_setting_says_where_its_claim_goes(pulling: Pulling) -> None:
    given, pulling.vendors.gmail.service_key = service_account()
    pulling.connect(GOOGLE=given)
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1))
    assert done(pulling.poll()) == (1, 1)
    _, pulling.vendors.gmail.service_key = service_account()
    assert "invalid_grant" in pulling.poll().error


def test_mails_of_before_the_connection_are_not_fetched(pulling: Pulling) -> None:
    pulling.connect()
    pulling.time.moment = NOW.replace(month=1, day=10)
    box = pulling.mailbox
    pulling.vendors.gmail.receive(box, mail(1, NOW.replace(year=2025, month=12, day=31, hour=23, minute=59)))
    pulling.vendors.gmail.receive(box, mail(2, NOW.replace(month=1, day=1, hour=0)))
    assert done(pulling.poll()) == (1, 1)


def test_a_mailbox_without_a_secret_of_ours_is_not_read(pulling: Pulling) -> None:
    pulling.connect(TRUST='{"audience": "https://x", "email": "push@x"}')
    refused = pulling.poll()
    assert 'must be JSON with a "secret"' in refused.error
    assert pulling.segments() == []


def test_two_who_look_at_once_do_not_meet(pulling: Pulling) -> None:
    pulling.connect()
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1))
    (account,) = Accounts(pulling.state, pulling.vault).connected("gmail", NOW)
    with alone(pulling.state, account) as is_alone:
        assert is_alone
        assert pulling.poll().state == "busy"
        assert pulling.vendors.asked == []
    assert done(pulling.poll()) == (1, 1)


def test_a_watch_is_renewed_daily_or_when_little_of_it_is_left(pulling: Pulling) -> None:
    pulling.connect()
    gmail, pull = pulling.vendors.gmail, pulling.pull()
    (mailbox,) = pull.mailboxes()
    assert (mailbox.is_watched, mailbox.watch_ends_at) == (True, None)
    assert is_watch_due(mailbox, NOW, WATCH_URGENT)
    until = NOW + timedelta(days=7)
    gmail.watch_until_ms = int(until.timestamp() * 1000)
    assert pull.watch(mailbox).state == "done"
    assert gmail.watches == [(pulling.mailbox, TOPIC)]
    (mailbox,) = pull.mailboxes()
    assert mailbox.watch_ends_at == until
    assert place(pulling) == {}  # the history id that Gmail gives with a watch moves nothing
    assert not is_watch_due(mailbox, NOW + timedelta(days=1), WATCH_DAILY)
    assert is_watch_due(mailbox, NOW + timedelta(days=1, microseconds=1), WATCH_DAILY)
    assert not is_watch_due(mailbox, NOW + timedelta(days=6), WATCH_URGENT)
    assert is_watch_due(mailbox, NOW + timedelta(days=6, microseconds=1), WATCH_URGENT)


def test_a_tenant_that_is_not_connected_costs_one_query_and_no_request(pulling: Pulling) -> None:
    pulling.connect(GOOGLE=None)
    assert pulling.pull().mailboxes() == []
    assert pulling.vendors.asked == []


def test_what_is_handed_in_is_believed_only_under_our_own_signature(pulling: Pulling) -> None:
    pulling.connect()
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1))
    pulling.poll()
    (path,) = pulling.segments()
    path.write_bytes(path.read_bytes().replace(b"asha1@example.com", b"eve11@example.com"))
    (refused,) = pulling.taken()
    assert isinstance(refused, Rejected)
    assert refused.reject.reason == "wrong_signature"
