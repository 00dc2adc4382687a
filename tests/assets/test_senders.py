"""Every way out against a local vendor: what each request says, to whom, and from which account."""

import base64
import email
import json
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller

from core.actions import Action, Delivery, Outcome
from core.events import Message, Point
from core.sources import gmail
from orchestration.receiver import Receiver, Request
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NUMBER, SECRETS, Scene

MORE = """
    texts:
      - { name: hello, text: "Good to hear from you, $first. $$5 off.", subject: "About $first", valid_from: 2026-01-01T00:00:00Z }
      - { name: hello, text: "Old words", valid_from: 2025-01-01T00:00:00Z, valid_to: 2026-01-01T00:00:00Z }
"""
CONNECTIONS = """
      - { id: page, source: messenger, account_id: TENANT-page, verify_secrets: [{ env: APP }], access_token: { env: TOKEN }, valid_from: 2026-01-01T00:00:00Z }
      - { id: insta, source: instagram, account_id: TENANT-ig, verify_secrets: [{ env: APP }], access_token: { env: TOKEN }, valid_from: 2026-01-01T00:00:00Z }
      - { id: box, source: gmail, account_id: TENANT@example.com, verify_secrets: [{ env: APP }], access_token: { env: GOOGLE }, valid_from: 2026-01-01T00:00:00Z }
      - { id: pay, source: razorpay, account_id: acc_TENANT, verify_secrets: [{ env: APP }], access_token: { env: RAZOR }, valid_from: 2026-01-01T00:00:00Z }
      - { id: cal, source: calendly, account_id: ORG_TENANT, verify_secrets: [{ env: APP }], access_token: { env: TOKEN }, valid_from: 2026-01-01T00:00:00Z }
"""
GOOGLE = '{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}'


class Mails:
    """What an SMTP server took, and how it answers."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.answer, self.rcpt = "250 OK", "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return self.answer


@pytest.fixture(scope="module")
def mails() -> Iterator[tuple[Mails, str]]:
    handler = Mails()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, settings: Settings, state: State) -> Iterator[Scene]:
    """One tenant with an account of every vendor."""
    folder = tmp_path_factory.mktemp("senders")
    tenant = f"t{uuid.uuid4().hex[:10]}"
    SECRETS.update({"GOOGLE": GOOGLE, "RAZOR": "key:secret"})
    with Receiver(folder / "record.ndjson") as receiver, httpx.Client(timeout=5) as client:
        yield Scene(
            tenant, folder, settings.inbox, state, Vault(state, settings.master_key()), receiver, client, more=MORE,
            connections=CONNECTIONS.replace("TENANT", tenant),
        )  # fmt: skip
    del SECRETS["GOOGLE"], SECRETS["RAZOR"]


def tools(world: Scene, **changes: Any) -> SenderTools:
    url = world.receiver.url
    made = SenderTools(world.client, world.lookup, url, url, url, url, f"{url}/token", url, url, "", "alerts@flexoraa.example")
    return replace(made, **changes)


def send(world: Scene, channel: str, action: Action, tag: str | None = None, **changes: Any) -> tuple[Outcome, list[Request]]:
    before = len(world.receiver.requests)
    outcome = senders(tools(world, **changes))[channel].send(Delivery(action, 1, 1, None, tag))
    return outcome, world.receiver.requests[before:]


def to(world: Scene, channel: str, point: Point, account: str, kind: str = "send_text", **changes: Any) -> Action:
    point_id = world.vault.points(world.tenant, [point])[point].point_id
    wanted: dict[str, Any] = {
        "kind": kind,
        "channel": channel,
        "point_id": point_id,
        "account_id": account,
        "template_name": "hello",
        "details": '{"first": "the flat"}',
    }
    return world.template(1, **(wanted | changes))


def test_a_text_on_whatsapp_is_the_tenants_words_with_the_details_filled_in(world: Scene) -> None:
    outcome, [request] = send(world, "whatsapp", to(world, "whatsapp", Point("phone", "+919876500001"), f"{world.tenant}-{NUMBER}"))
    assert outcome.state == "sent"
    assert (request.path, request.is_authorized) == (f"/{world.tenant}-{NUMBER}/messages", True)
    assert request.json()["text"] == {"body": "Good to hear from you, the flat. $5 off.", "preview_url": False}
    assert request.json()["type"] == "text"


def test_a_template_says_its_language_and_its_parameters(world: Scene) -> None:
    details = json.dumps({"language": "hi", "parameters": ["2 BHK", 3]})
    action = to(world, "whatsapp", Point("wa_user_id", "IN.123"), f"{world.tenant}-{NUMBER}", "send_template", details=details)
    _, [request] = send(world, "whatsapp", action)
    assert request.json()["recipient"] == "IN.123"
    assert request.json()["template"] == {
        "name": "hello", "language": {"code": "hi"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "2 BHK"}, {"type": "text", "text": "3"}]}],
    }  # fmt: skip


@pytest.mark.parametrize(("channel", "kind", "account"), [("messenger", "psid", "page"), ("instagram", "igsid", "ig")])
def test_messenger_and_instagram_take_an_answer_and_a_tagged_message_of_a_person(
    world: Scene, channel: str, kind: Any, account: str
) -> None:
    action = to(world, channel, Point(kind, "178414"), f"{world.tenant}-{account}")
    outcome, [request] = send(world, channel, action)
    assert (outcome.state, bool(outcome.provider_id)) == ("sent", True)
    assert request.path == f"/{world.tenant}-{account}/messages"
    body = {"recipient": {"id": "178414"}, "message": {"text": "Good to hear from you, the flat. $5 off."}}
    assert request.json() == body | {"messaging_type": "RESPONSE"}
    _, [tagged] = send(world, channel, action, tag="HUMAN_AGENT")
    assert tagged.json() == body | {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


def test_a_mail_goes_out_of_the_tenants_own_mailbox(world: Scene) -> None:
    action = to(world, "gmail", Point("email", "lead@example.org"), f"{world.tenant}@example.com")
    outcome, requests = send(world, "gmail", action)
    assert outcome.state == "sent"
    assert [each.path for each in requests] == ["/token", "/gmail/v1/users/me/messages/send"]
    mail = email.message_from_bytes(base64.urlsafe_b64decode(requests[1].json()["raw"]))
    assert (mail["From"], mail["To"], mail["Subject"]) == (f"{world.tenant}@example.com", "lead@example.org", "About the flat")
    assert outcome.provider_id == mail["Message-ID"] == f"<{action.action_id}@example.com>"
    headers = [{"name": name, "value": value} for name, value in mail.items()]
    polled = {
        "id": "g1",
        "labelIds": ["SENT"],
        "internalDate": "1795000000000",
        "payload": {"mimeType": "text/plain", "headers": headers, "body": {}},
    }
    copy, *_ = gmail.decode(json.dumps(polled | {"emailAddress": f"{world.tenant}@example.com"}).encode(), {})
    assert isinstance(copy, Message)
    # what settles a doubt, and what the receipt is called by: `message.sent` of a channel is `channel:message_id`
    assert (copy.action_id, copy.event_id) == (action.action_id, f"gmail:{outcome.provider_id}")
    assert mail.get_payload(decode=True).decode().strip() == "Good to hear from you, the flat. $5 off."  # type: ignore[union-attr]


def test_a_payment_link_is_made_once_and_its_message_brings_it(world: Scene) -> None:
    details = json.dumps({"amount_minor": 50_000, "currency": "INR"})
    action = to(
        world,
        "whatsapp",
        Point("phone", "+919876500001"),
        f"{world.tenant}-{NUMBER}",
        "send_payment_link",
        template_name=None,
        details=details,
    )
    for attempt in range(2):  # the second finds the link by its reference
        outcome, requests = send(world, "whatsapp", action)
        assert outcome.state == "sent"
        assert [each.path.rpartition("/")[2] for each in requests] == ["payment_links", "messages"][attempt:]
        said = requests[-1].json()["text"]["body"]
        assert said.startswith(f"Here is your payment link: {world.receiver.url}/i/")
    [link] = world.receiver.answers.links.values()
    assert (link["amount"], link["currency"], len(link["reference_id"])) == (50_000, "INR", 40)
    world.receiver.answers.links.clear()


def test_a_wish_for_a_top_up_brings_the_link_of_the_last_one(world: Scene) -> None:
    action = world.alert(7, kind="top_up_link", rule="token_threshold", details='{"last_top_up_tokens": 1001, "percent": 10}')
    outcome, requests = send(world, "webhook", action)
    assert outcome.state == "sent"
    assert requests[-1].json()["payment_link"].startswith(f"{world.receiver.url}/i/")
    [link] = world.receiver.answers.links.values()
    assert (link["amount"], link["currency"]) == (10_010, "INR")  # 10 tokens a rupee: 100.10 rupees
    world.receiver.answers.links.clear()


def test_a_quick_booking_offers_three_free_times_and_a_link_for_one_use_that_carries_the_lead(world: Scene) -> None:
    details = json.dumps({"event_type": "https://api.calendly.com/event_types/E1"})
    action = to(
        world, "whatsapp", Point("phone", "+919876500001"), f"{world.tenant}-{NUMBER}", "send_booking", template_name=None, details=details
    )
    outcome, [asked, message] = send(world, "whatsapp", action)
    assert outcome.state == "sent"
    assert asked.json() == {"max_event_count": 1, "owner": "https://api.calendly.com/event_types/E1", "owner_type": "EventType"}
    said = message.json()["text"]["body"]
    # from 15:00 UTC on, of which the first is taken; said in Kolkata's time
    assert "Sun 22 Nov 21:30 or Mon 23 Nov 20:30 or Tue 24 Nov 20:30" in said
    assert f"{world.receiver.url}/d/" in said
    assert said.endswith(f"?utm_content={action.lead_id}")


@pytest.mark.parametrize("why", ["text", "word", "account", "kind", "token"])
def test_what_is_missing_is_said_and_nothing_is_sent(world: Scene, why: str) -> None:
    account = f"{world.tenant}-{NUMBER}"
    wanted = {
        "text": ({"template_name": "nothing"}, "has no text 'nothing'"),
        "word": ({"details": "{}"}, "asks for 'first', which the action does not give"),
        "account": ({"account_id": None}, "names no account of ours"),
        "kind": ({}, "no address of whatsapp"),
        "token": ({"account_id": "another"}, "no access token"),
    }
    changes, word = wanted[why]
    point = Point("email", "lead@example.org") if why == "kind" else Point("phone", "+919876500001")
    outcome, requests = send(
        world,
        "whatsapp",
        to(world, "whatsapp", point, changes.pop("account_id", account) if why in ("account", "token") else account, **changes),
    )
    assert (outcome.state, requests) == ("rejected", [])
    assert word in outcome.reason


def alert_by_mail(world: Scene, url: str) -> Outcome:
    destination = {"id": "post", "kind": "alerts", "url": "mailto:ops@asha.example"}

    class Lookup:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.lookup, name)

        def destinations(self, _tenant: str, _kind: str) -> list[Any]:
            from orchestration.resources.senders._tools import Place

            return [Place(destination["id"], destination["url"], b"")]

    action = world.alert(3, details='{"leak": "no_reply", "since": ". a line that begins with a dot"}')
    return senders(tools(world, lookup=Lookup(), smtp_url=url))["webhook"].send(Delivery(action, 1, 1))


def test_an_alert_by_mail_is_plain_text_with_an_id_of_its_action(world: Scene, mails: tuple[Mails, str]) -> None:
    handler, url = mails
    outcome = alert_by_mail(world, url)
    assert (outcome.state, outcome.status_code) == ("sent", 250)
    [(sender, recipients, content)] = handler.taken
    mail = email.message_from_bytes(content)
    assert (sender, recipients) == ("alerts@flexoraa.example", ["ops@asha.example"])
    assert (mail["Subject"], mail["Message-ID"]) == ("lead leak: notify (l3)", f"<{world.alert(3).action_id}@flexoraa.example>")
    assert "leak: no_reply" in mail.get_payload()
    handler.taken.clear()


@pytest.mark.parametrize(
    ("rcpt", "answer", "final"),
    [
        ("450 later", "250 OK", "requested"),
        ("550 nobody", "250 OK", "rejected"),
        ("250 OK", "451 full", "requested"),
        ("250 OK", "554 spam", "rejected"),
    ],
)
def test_mail_servers_say_no_for_now_with_4_and_for_ever_with_5(
    world: Scene, mails: tuple[Mails, str], rcpt: str, answer: str, final: str
) -> None:
    handler, url = mails
    handler.rcpt, handler.answer = rcpt, answer
    outcome = alert_by_mail(world, url)
    handler.rcpt, handler.answer = "250 OK", "250 OK"
    handler.taken.clear()
    assert outcome.state == final


def test_mail_without_a_server_is_tried_again_and_without_a_setting_refused(world: Scene) -> None:
    assert alert_by_mail(world, "smtp://127.0.0.1:1").state == "requested"
    outcome = alert_by_mail(world, "")
    assert (outcome.state, outcome.reason) == ("rejected", "no mail can be sent: FLEXORAA_SMTP_URL is not set")


@pytest.mark.parametrize(
    ("status", "code", "final", "word"),
    [
        (400, 131056, "requested", "told to wait"), (403, 4, "requested", "told to wait"), (403, 131031, "held", "locked"),
        (401, 190, "held", "access token"), (400, 131047, "held", "window"), (400, 100, "rejected", "error 100"),
    ],
)  # fmt: skip
def test_metas_error_codes_say_more_than_the_status(world: Scene, status: int, code: int, final: str, word: str) -> None:
    with world.receiver.misbehaving(status=status, error_code=code):
        outcome, _ = send(world, "whatsapp", to(world, "whatsapp", Point("phone", "+919876500001"), f"{world.tenant}-{NUMBER}"))
    assert outcome.state == final
    assert word in outcome.reason
    assert (outcome.release is not None) == (final == "held")


def test_a_payment_link_that_cannot_be_made_now_keeps_the_message_back(world: Scene) -> None:
    details = json.dumps({"amount_minor": 1, "currency": "INR"})
    action = to(world, "whatsapp", Point("phone", "+919876500001"), f"{world.tenant}-{NUMBER}", "send_payment_link", details=details)
    outcome, requests = send(world, "whatsapp", action, razorpay_url="http://127.0.0.1:1")
    assert (outcome.state, requests) == ("requested", [])
