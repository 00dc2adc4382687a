"""Handing in what was fetched: lines of a segment, signed as ours, on disk before the cursor moves past them.

Here belongs the order that makes a fetched thing arrive at least once. Not here: fetching; the file (`orchestration.collector.segments`).
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

from core.ports import Clock
from core.sources._common import OWN_SIGNATURE
from core.sources._google_token import Trust
from orchestration.collector.segments import SegmentWriter
from orchestration.resources.pull.accounts import Account
from orchestration.resources.pull.http import PullUsageError

C = TypeVar("C")

PAGES_A_SEGMENT = 10
"""Pages that share a segment: what a killed reader asks for again, against small files in the lake."""

BYTES_A_SEGMENT = 16 << 20


class Page(NamedTuple, Generic[C]):
    """Bodies to hand in, how many things they tell of, and where to go on after them."""

    bodies: list[bytes]
    items: int
    cursor: C


class Fetched(NamedTuple):
    """What came of reading: pages asked for, things in them, bodies handed in."""

    pages: int = 0
    items: int = 0
    bodies: int = 0


def signing_key(account: Account) -> bytes:
    """The secret under which the account's answers are handed in.

    Raises:
        PullUsageError: a mailbox's verify secret has no `secret`.
    """
    if account.source != "gmail":
        return account.signing
    try:
        trust = msgspec.json.decode(account.signing, type=Trust)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        trust = Trust()
    if not trust.secret:
        message = f'{account.name}: its verify secret must be JSON with a "secret" of your choice, under which fetched mails are handed in'
        raise PullUsageError(message)
    return trust.secret.encode()


def hand_in(pages: Iterable[Page[C]], account: Account, inbox: Path, clock: Clock, move: Callable[[C], None]) -> Fetched:
    """Write all pages; `move` is called with a page's cursor only when all up to it lies fsynced in a closed segment.

    So a reader that dies, wherever, has lost nothing: the next one asks again for what the cursor does not know of, and repeats are known.
    """
    key, writer = signing_key(account), SegmentWriter(inbox, clock)
    writer.finish_those_of_the_dead()
    fetched, open_pages, open_bytes, cursor = Fetched(), 0, 0, None
    try:
        for page in pages:
            lines = [_line(account.source, body, key, clock) for body in page.bodies]
            if lines:
                writer.append(lines)
            cursor = (page.cursor,)
            open_pages, open_bytes = open_pages + 1, open_bytes + sum(map(len, lines))
            fetched = Fetched(fetched.pages + 1, fetched.items + page.items, fetched.bodies + len(lines))
            if open_pages >= PAGES_A_SEGMENT or open_bytes >= BYTES_A_SEGMENT:
                writer.close()
                move(page.cursor)
                open_pages, open_bytes, cursor = 0, 0, None
    finally:
        writer.close()
        if cursor is not None:  # also where a later page failed: what came before it is safe
            move(cursor[0])
    return fetched


def _line(source: str, body: bytes, key: bytes, clock: Clock) -> bytes:
    headers = {OWN_SIGNATURE: hmac.new(key, body, hashlib.sha256).hexdigest()}
    return msgspec.json.encode({"source": source, "received_at": clock.now(), "headers": headers, "body": body.decode()}) + b"\n"
