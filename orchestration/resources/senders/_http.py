"""What all senders over HTTP share: one request, and which answer means what.

Here belongs the one place that tells `sent`, `rejected`, `requested` and `unknown` apart. Not here: what a provider's request looks like.
"""

import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx

from core.actions import Outcome
from orchestration.resources.pull.http import retry_after

NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures at which nothing can have reached the other side, and which pass."""

NEVER = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""Requests that cannot be written at all: an address without a scheme that we know, a token with a line break."""

MAX_ANSWER_BYTES = 64 * 1024
"""What is read of an answer: tenants choose where their alerts go, and an endless answer must not hold up the others."""

LONGEST_WAIT = 86_400.0
"""Seconds: nobody who asks for a longer pause means it."""

_ANSWER_SECONDS = 20.0
TOO_MANY_REQUESTS = 429
UNAVAILABLE = 503


class Answer(NamedTuple):
    """What became of one request, and the body that came back."""

    outcome: Outcome
    body: bytes = b""


def ask(
    client: httpx.Client, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str], is_repeatable: bool = False
) -> Answer:
    """One request, once.

    2xx is sent, 4xx rejected; what was not reached, or told to wait (429), is requested again; a 5xx, a broken answer or silence after the
    request left is unknown: it may have happened. Where the other side knows a repeat by its key (`is_repeatable`), that is requested
    again too.
    """
    request_hash = hashlib.sha256(body).hexdigest()

    def none(state: str, reason: str) -> Answer:
        return Answer(Outcome(state, reason, request_sha256=request_hash))  # type: ignore[arg-type]  # one of three words below

    doubt = "requested" if is_repeatable else "unknown"
    try:
        request = client.build_request(method, url, content=body or None, headers=dict(headers))
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: a header that is not ASCII
        return none("rejected", f"no request can be made of this address or token: {type(error).__name__}")
    try:
        response = client.send(request, stream=True)
        answer = _read(response)
    except NEVER as error:
        return none("rejected", f"no request can be made of this address or token: {type(error).__name__}")
    except NOT_REACHED as error:
        return none("requested", f"not reached: {_why(error)}")
    except httpx.HTTPError as error:
        return none(doubt, f"no answer: {type(error).__name__}")
    code, response_hash = response.status_code, hashlib.sha256(answer).hexdigest()
    wait = retry_after(response.headers) if code in {TOO_MANY_REQUESTS, UNAVAILABLE} else None
    told = Outcome(
        "sent", "accepted", code, None, request_hash, response_hash, wait_seconds=None if wait is None else min(wait, LONGEST_WAIT)
    )
    if response.is_success:
        return Answer(told, answer)
    if code == TOO_MANY_REQUESTS:
        return Answer(told._replace(state="requested", reason="told to wait: HTTP 429"), answer)
    if response.is_client_error:
        return Answer(told._replace(state="rejected", reason=f"refused with HTTP {code}"), answer)
    return Answer(told._replace(state="requested" if is_repeatable else "unknown", reason=f"ambiguous: HTTP {code}"), answer)


def try_once(
    client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], provider_id: Callable[[bytes], str | None]
) -> Outcome:
    """POST once; accepted only where the answer names what was made."""
    outcome, answer = ask(client, "POST", url, body=body, headers=headers)
    if outcome.state != "sent":
        return outcome
    found = provider_id(answer)
    return outcome._replace(provider_id=found) if found else outcome._replace(state="unknown", reason=UNNAMED)


UNNAMED = "accepted, but the answer names no message"


def _why(error: httpx.HTTPError) -> str:
    """What an operator can act on: a name that is not known and a certificate that is not trusted look alike to httpx."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        if isinstance(cause, ssl.SSLError):
            return "no TLS with it"
        if isinstance(cause, socket.gaierror):
            return "its name is not known"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _read(response: httpx.Response) -> bytes:
    answer, until = bytearray(), time.monotonic() + _ANSWER_SECONDS
    try:
        for part in response.iter_bytes(4096):
            answer += part
            if len(answer) >= MAX_ANSWER_BYTES or time.monotonic() > until:
                break
    finally:
        response.close()
    return bytes(answer)
