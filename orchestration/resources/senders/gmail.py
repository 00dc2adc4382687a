"""Gmail: one mail from the tenant's mailbox, `users.messages.send`.

Here belong the mail and the request. A header of its own brings the action's id back with the copy that polling finds among the sent mails,
which settles a doubt. Not here: reading mail (`orchestration.resources.pull`).
"""

import base64
import json
import threading
from email.message import EmailMessage

import msgspec
from msgspec import Struct

from core.actions import Delivery, Outcome
from core.sources._gmail_mail import ACTION_HEADER, message_id_of
from orchestration.resources.pull.google_token import GoogleToken
from orchestration.resources.pull.http import Api, ApiError, Bucket, Fixed, Passage, PullError, PullUsageError, Tries
from orchestration.resources.senders._http import try_once
from orchestration.resources.senders._tools import OneWay, SenderTools, Words
from orchestration.resources.senders._words import ready, words

CHANNEL = "gmail"
SCOPE = "https://www.googleapis.com/auth/gmail.send"
_NEW_TOKEN = "flexoraa tenant apply with a credential that may send"  # noqa: S105 — no token, but what to do about one


class _Sent(Struct):
    id: str = ""


class Channel(OneWay):
    """Sends from the tenant's own mailbox; access tokens live in memory, by credential."""

    def __init__(self, tools: SenderTools) -> None:
        """Take client, look-ups and the base addresses."""
        self._tools = tools
        self._tokens: dict[tuple[str, str], GoogleToken] = {}
        self._lock = threading.Lock()

    def send(self, delivery: Delivery) -> Outcome:
        """Try once."""
        way = ready(self._tools, delivery, ("email",), CHANNEL)
        if isinstance(way, Outcome):
            return way
        said = words(self._tools, delivery)
        if isinstance(said, Outcome):
            return said
        try:
            token = self._token(way.account_id, way.token)
            headers = {**token.headers(), "content-type": "application/json"}
        except (ApiError, PullUsageError) as error:
            return Outcome("held", f"Google refuses the mailbox's credential: {type(error).__name__}", release=_NEW_TOKEN)
        except PullError as error:
            return Outcome("requested", f"no access token was had: {type(error).__name__}")
        mail = _mail(delivery, way.account_id, way.contact.value, said)
        body = json.dumps({"raw": base64.urlsafe_b64encode(mail.as_bytes()).decode()}).encode()
        # by the Message-ID, not Gmail's own: our receipt and the copy among the sent are one event
        named = mail["Message-ID"]
        url = f"{self._tools.gmail_url}/gmail/v1/users/me/messages/send"
        outcome = try_once(self._tools.client, url, body, headers, lambda answer: named if _is_taken(answer) else None)
        if outcome.status_code == 401:
            token.renew()
            return outcome._replace(state="requested", reason="the access token had ended")
        return outcome

    def _token(self, mailbox: str, credential: str) -> GoogleToken:
        with self._lock:
            if (mailbox, credential) not in self._tokens:
                passage = Passage()
                api = Api(
                    self._tools.client, "the mailbox that sends", self._tools.google_token_url, SCOPE, Fixed(""),
                    Bucket(10, 10, passage), Tries(total_seconds=10.0), passage,
                )  # fmt: skip
                self._tokens[mailbox, credential] = GoogleToken(credential.encode(), mailbox, api, self._tools.lookup.now, SCOPE)
            return self._tokens[mailbox, credential]


def _mail(delivery: Delivery, sender: str, to: str, said: Words) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = said.subject or delivery.action.rule.replace("_", " ")
    mail["Message-ID"] = message_id_of(delivery.action.action_id, sender)
    mail[ACTION_HEADER] = delivery.action.action_id
    mail.set_content(said.text)
    return mail


def _is_taken(answer: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(answer, type=_Sent).id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
