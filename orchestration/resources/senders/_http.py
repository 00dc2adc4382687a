"""What all senders over HTTP share: one try, and which answer means what.

Here belongs the one place that tells `sent`, `rejected` and `unknown` apart. Not here: what a provider's request looks like.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from core.actions import Outcome
from core.events import Point


class Lookup(Protocol):
    """What a sender must look up at the moment of sending; nothing of it is stored."""

    def contact(self, tenant_id: str, point_id: str) -> Point | None:
        """The person behind a surrogate; None if erased."""
        ...

    def access_token(self, tenant_id: str, source: str, account_id: str) -> str | None:
        """The token for an account of ours."""
        ...

    def destinations(self, tenant_id: str, kind: str) -> list[tuple[str, bytes]]:
        """Address and signing secret of the tenant's destinations of a kind."""
        ...


@dataclass(frozen=True)
class SenderTools:
    """What every sender is made from."""

    client: httpx.Client
    lookup: Lookup
    whatsapp_url: str


NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures at which nothing can have reached the other side, and which pass."""

NEVER = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""Requests that cannot be written at all: an address without a scheme that we know, a token with a line break."""

MAX_ANSWER_BYTES = 64 * 1024
"""What is read of an answer: tenants choose where their alerts go, and an endless answer must not hold up the others."""

_ANSWER_SECONDS = 20.0
TOO_MANY_REQUESTS = 429


def try_once(
    client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], provider_id: Callable[[bytes], str | None]
) -> Outcome:
    """POST once.

    2xx is sent, 4xx rejected; what was not reached, or told to wait (429), is requested again; a 5xx or a failure after the request left is
    unknown: it may have happened.
    """
    request_hash = hashlib.sha256(body).hexdigest()
    try:
        request = client.build_request("POST", url, content=body, headers=dict(headers))
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: a header that is not ASCII
        return Outcome("rejected", f"no request can be made of this address or token: {type(error).__name__}", request_sha256=request_hash)
    try:
        response = client.send(request, stream=True)
        answer = _read(response)
    except NEVER as error:
        return Outcome("rejected", f"no request can be made of this address or token: {type(error).__name__}", request_sha256=request_hash)
    except NOT_REACHED as error:
        return Outcome("requested", f"not reached: {type(error).__name__}", request_sha256=request_hash)
    except httpx.HTTPError as error:
        return Outcome("unknown", f"no answer: {type(error).__name__}", request_sha256=request_hash)
    code, response_hash = response.status_code, hashlib.sha256(answer).hexdigest()
    if response.is_success:
        return Outcome("sent", "accepted", code, provider_id(answer), request_hash, response_hash)
    if code == TOO_MANY_REQUESTS:
        return Outcome("requested", "told to wait: HTTP 429", code, None, request_hash, response_hash)
    if response.is_client_error:
        return Outcome("rejected", f"refused with HTTP {code}", code, None, request_hash, response_hash)
    return Outcome("unknown", f"ambiguous: HTTP {code}", code, None, request_hash, response_hash)


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
