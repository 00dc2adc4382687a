"""Who is let in: a known account, and a signature that holds over the bytes as they came.

Here belong the checks before anything is stored, in the order of `core.intake`, which repeats them when it takes the segment in: what is
refused here never reaches quarantine, so it must not be stricter. Not here: decoding, HTTP.
"""

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from core.intake import Directory
from core.sources import Source

_KEPT_ENDINGS = (b"-signature", b"-signature-256", b"-event-id")
_KEPT = frozenset({("gmail", b"authorization")})


class Refusal(NamedTuple):
    """Why a request is not taken."""

    status: HTTPStatus
    reason: str


NOT_JSON = Refusal(HTTPStatus.BAD_REQUEST, "not_json")
NOT_UTF8 = Refusal(HTTPStatus.BAD_REQUEST, "invalid_utf8")
UNKNOWN_ACCOUNT = Refusal(HTTPStatus.NOT_FOUND, "unknown_account")
WRONG_SIGNATURE = Refusal(HTTPStatus.UNAUTHORIZED, "wrong_signature")


def kept_headers(source: str, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers that verifying and decoding need, by lower-case name: signatures, event ids, and the token that signs Gmail's push.

    >>> kept_headers("razorpay", [(b"x-razorpay-event-id", b"e1"), (b"cookie", b"c"), (b"authorization", b"a")])
    {'x-razorpay-event-id': 'e1'}
    """
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers
        if name.endswith(_KEPT_ENDINGS) or (source, name) in _KEPT
    }


def check(name: str, source: Source, headers: dict[str, str], raw: bytes, directory: Directory, moment: datetime) -> str | Refusal:
    """The tenant that this body is from, or why it is not taken. A body that speaks of several accounts is of its first true one."""
    try:
        named = source.accounts(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NOT_JSON
    known = [account for each in named if (account := directory.at(name, each, moment))]
    if not named:  # some real bodies name nobody; then the one whose secret signs it is meant
        known = [account for _, account in directory.live(name, moment)]
    if not known:
        return UNKNOWN_ACCOUNT
    refuted: set[bytes] = set()
    for account in known:
        for secret in account.secrets:
            if secret not in refuted:
                if source.verify(headers, raw, secret, moment):
                    return account.tenant_id
                refuted.add(secret)
    return WRONG_SIGNATURE
