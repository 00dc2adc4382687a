"""From one line of an inbox segment to canonical events with their tenant, or a reason why not.

Here belong the line's envelope, the directory of connections and the order of the checks: known account, true signature, then decoding.
Not here: reading files, normalising and encrypting (`core.rows`), storing.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Struct

from core.events import UNTOLD, Event, Message, Reject
from core.sources import Source, sources
from core.sources._common import LATEST, shown, utc

_REMEMBERED = 10_000

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Vendors' largest stated webhook is Meta's 3 MB; anything above this is not one."""


class Envelope(Struct, gc=False):
    """One line of a segment: a webhook as it arrived. `body` is the raw text, byte for byte when encoded as UTF-8."""

    source: str
    received_at: datetime
    headers: dict[str, str]
    body: str


class Account(NamedTuple):
    """Whose account this is in [`valid_from`, `valid_to`), and the secrets that sign for it."""

    tenant_id: str
    region: str
    valid_from: datetime
    valid_to: datetime | None
    secrets: tuple[bytes, ...]


class Holders(NamedTuple):
    """Who held the accounts that a body names, from `start` until `end`, and which of them each live secret signs for."""

    start: datetime
    end: datetime
    known: dict[str, Account]
    by_secret: dict[bytes, dict[str, Account]]


class Directory:
    """All connections of all tenants, by (source, account id)."""

    def __init__(self, accounts: Mapping[tuple[str, str], list[Account]]) -> None:
        """Accounts of one key in any order; their times do not overlap."""
        self.accounts = accounts
        self._holders: dict[tuple[str, ...], Holders] = {}

    def at(self, source: str, account_id: str, moment: datetime) -> Account | None:
        """Who held the account at that moment."""
        for account in self.accounts.get((source, account_id), ()):
            if account.valid_from <= moment and (account.valid_to is None or moment < account.valid_to):
                return account
        return None

    def live(self, source: str, moment: datetime) -> Iterator[tuple[str, Account]]:
        """Every account of a source that was somebody's at that moment."""
        for of_source, account_id in self.accounts:
            account = self.at(source, account_id, moment) if of_source == source else None
            if account is not None:
                yield account_id, account

    def holders(self, source: str, named: list[str], moment: datetime) -> Holders:
        """Who held these accounts at that moment; of no names, all live accounts of the source. The last answers are remembered."""
        key = (source, *named)
        found = self._holders.get(key)
        if found is None or not found.start <= moment < found.end:
            found = self._find_holders(source, named, moment)
            if named and len(found.known) == len(named):  # whoever cannot sign may name anything: that is not worth remembering
                if len(self._holders) >= _REMEMBERED:
                    self._holders.clear()
                self._holders[key] = found
        return found

    def _find_holders(self, source: str, named: list[str], moment: datetime) -> Holders:
        known = (
            {each: account for each in named if (account := self.at(source, each, moment))} if named else dict(self.live(source, moment))
        )
        by_secret: dict[bytes, dict[str, Account]] = {}
        for each, account in known.items():
            for secret in account.secrets:
                by_secret.setdefault(secret, {})[each] = account
        start = max((account.valid_from for account in known.values()), default=moment)
        end = min((account.valid_to for account in known.values() if account.valid_to is not None), default=LATEST)
        return Holders(start, end, known, by_secret)


class Accepted(Struct, frozen=True, gc=False):  # a third of what a NamedTuple takes to make
    """An event that is authentic and decoded, with the tenant that it belongs to."""

    account: Account
    event: Event


class Whole(Struct, frozen=True, gc=False):
    """All that one webhook says, where nothing is amiss: events of one account, never none. Nearly all webhooks are such."""

    account: Account
    events: list[Event]


class Rejected(NamedTuple):
    """What could not be taken in, with the tenant as far as it is known (else empty)."""

    tenant_id: str
    source: str
    reject: Reject


_ENVELOPE = msgspec.json.Decoder(Envelope)


def read_line(line: bytes) -> Envelope | Reject:
    """One NDJSON line as an envelope."""
    try:
        envelope = _ENVELOPE.decode(line)
    except msgspec.ValidationError as error:
        return Reject("bad_line", "$", f"not an object of source, received_at, headers and body: {type(error).__name__}")
    except RecursionError:
        return Reject("bad_line", "$", "nested too deeply to be read")
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return Reject("invalid_utf8", "$", f"byte {error.start} of the line is not UTF-8")
        return Reject("bad_line", "$", "the line is not JSON")
    received_at = utc(envelope.received_at)
    if received_at is None:
        detail = "the time has no offset (write it as ISO 8601 with one, or Z), or lies outside 2000 to 2100"
        return Reject("bad_line", "$.received_at", detail)
    envelope.received_at = received_at
    return envelope


def take(envelope: Envelope, directory: Directory) -> list[Accepted | Rejected]:
    """All that one webhook says. Nothing is decoded before its signature holds; never empty."""
    told = told_by(envelope, directory)
    return [Accepted(told.account, event) for event in told.events] if isinstance(told, Whole) else told


def told_by(envelope: Envelope, directory: Directory) -> Whole | list[Accepted | Rejected]:
    """The same, without an object for each event where all of them are of one account."""
    raw = envelope.body.encode()
    source = sources().get(envelope.source)
    if source is None:
        # who wrote the line is not known, so what it calls its source is no key of a count
        return [Rejected("", "", Reject("unknown_source", "$.source", f"no such source: {shown(envelope.source)}"))]
    if len(raw) > MAX_BODY_BYTES:
        detail = f"a body of {len(raw):,} bytes; at most {MAX_BODY_BYTES:,} are taken"
        return [Rejected("", envelope.source, Reject("too_large", "$", detail))]
    try:
        named = source.accounts(raw)
    except msgspec.ValidationError:
        return [Rejected("", envelope.source, Reject("bad_shape", "$", f"not the shape of a {envelope.source} webhook"))]
    except msgspec.DecodeError as error:
        return [Rejected("", envelope.source, Reject("not_json", "$", str(error)))]
    except RecursionError:
        return [Rejected("", envelope.source, Reject("bad_shape", "$", "nested too deeply to be read"))]
    return _authentic(envelope, raw, source, named, directory)


def _authentic(envelope: Envelope, raw: bytes, source: Source, named: list[str], directory: Directory) -> Whole | list[Accepted | Rejected]:
    headers = envelope.headers
    if not all(map(str.islower, headers)):
        headers = {name.lower(): value for name, value in headers.items()}
    received_at = envelope.received_at
    # some real bodies name nobody; then the one whose secret signs it is meant, and no other
    holders = directory.holders(envelope.source, named, received_at)
    known = holders.known
    trusted: dict[str, Account] = {}
    for secret, signed in holders.by_secret.items():
        if source.verify(headers, raw, secret, received_at):
            trusted = signed if not trusted else {each: known[each] for each in known if each in trusted or each in signed}
    if not known or (not named and len(trusted) != 1):
        detail = "the body names no account" if not named else "no tenant is connected to this account at that time"
        if len(trusted) > 1:
            detail += f", and {len(trusted)} accounts have the secret that signs it"
        return [Rejected("", envelope.source, Reject("unknown_account", "$", detail, named[0] if named else None))]
    if not trusted:
        claimed = next(iter(known))
        reject = Reject("wrong_signature", "$", "no live secret of this account signs these bytes", claimed)
        return [Rejected(known[claimed].tenant_id, envelope.source, reject)]
    items = list(source.decode(raw, headers))
    otherwise = next(iter(trusted))
    first = trusted.get(items[0].account_id or otherwise)
    events: list[Event] = []
    for item in items:
        account_id = item.account_id or otherwise
        if first is None or isinstance(item, Reject) or trusted.get(account_id) is not first:
            break
        events.append(completed(item, account_id, received_at))
    else:
        return Whole(first, events)  # type: ignore[arg-type]  # of no items there is no first
    return _item_by_item(envelope, items, known, trusted)


def _item_by_item(
    envelope: Envelope, items: list[Event | Reject], known: Mapping[str, Account], trusted: Mapping[str, Account]
) -> list[Accepted | Rejected]:
    found: list[Accepted | Rejected] = []
    for item in items:
        account_id = item.account_id or next(iter(trusted))
        account = trusted.get(account_id)
        if account is None:  # a broken item of such a part too: nothing of it is to be believed
            reason = "wrong_signature" if account_id in known else "unknown_account"
            detail = "this part of the body is of an account that is not connected, or whose secret does not sign it"
            found.append(Rejected("", envelope.source, Reject(reason, "$", detail, account_id)))
        elif isinstance(item, Reject):
            found.append(Rejected(account.tenant_id, envelope.source, item))
        else:
            found.append(Accepted(account, completed(item, account_id, envelope.received_at)))
    return found


def completed(event: Event, account_id: str, received_at: datetime) -> Event:
    """With what the body does not tell: whose it is, and when."""
    event.account_id = account_id
    if type(event) is Message and not event.channel_account_id:
        event.channel_account_id = account_id
    if event.occurred_at == UNTOLD:
        event.occurred_at = received_at
    return event
