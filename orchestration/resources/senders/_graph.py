"""Meta's Graph API, which WhatsApp, Messenger and Instagram share: one POST, the id in its answer, and what its error codes mean.

Here belong those. None of the calls takes an idempotency key, so an ambiguous failure stays unknown until a receipt or a person settles it.
Not here: the three vendors' bodies.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from core.actions import Outcome
from orchestration.resources.senders._http import UNNAMED, ask
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.senders._words import Ready

TOO_FAST = frozenset({4, 32, 613, 80007, 130429, 131048, 131056})
"""Codes that say "slower", with HTTP 400 or 403: the message surely did not go."""

LOCKED = frozenset({131031, 368})
"""Codes of an account that may not send for now."""

NO_TOKEN = frozenset({0, 190})
CLOSED = frozenset({131047, 10})
"""Codes of a window that is closed by Meta's reckoning."""

_CLIENT_ERROR, _SERVER_ERROR, _UNAUTHORIZED = 400, 500, 401


class _Error(Struct):
    code: int | None = None


class _Failure(Struct):
    error: _Error


def post(tools: SenderTools, base_url: str, way: Ready, body: dict[str, Any], id_of: Callable[[bytes], str | None]) -> Outcome:
    """Try once: `POST /{account}/messages`."""
    headers = {"authorization": f"Bearer {way.token}", "content-type": "application/json"}
    outcome, answer = ask(tools.client, "POST", f"{base_url}/{way.account_id}/messages", body=json.dumps(body).encode(), headers=headers)
    if outcome.state == "sent":
        found = id_of(answer)
        return outcome._replace(provider_id=found) if found else outcome._replace(state="unknown", reason=UNNAMED)
    code = outcome.status_code
    return outcome if code is None or not _CLIENT_ERROR <= code < _SERVER_ERROR else _refined(outcome, answer)


def _refined(outcome: Outcome, answer: bytes) -> Outcome:
    """A 4xx by the code that Meta gives in its body."""
    code = _code(answer)
    reason = outcome.reason if code is None else f"{outcome.reason}, error {code}"
    if code in TOO_FAST:
        return outcome._replace(state="requested", reason=f"told to wait: {reason}")
    if code in LOCKED:
        return outcome._replace(state="held", reason=f"the account is locked: {reason}", release="the account is reinstated")
    if code in NO_TOKEN or outcome.status_code == _UNAUTHORIZED:
        return outcome._replace(
            state="held", reason=f"the access token is refused: {reason}", release="flexoraa tenant apply with a new token"
        )
    if code in CLOSED:
        return outcome._replace(state="held", reason=f"the messaging window is closed: {reason}", release="the lead writes again")
    return outcome._replace(reason=reason)


def _code(answer: bytes) -> int | None:
    try:
        return msgspec.json.decode(answer, type=_Failure).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
