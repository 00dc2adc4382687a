"""The audit log's arithmetic: one chain of hashes a tenant, each entry signed, so that none can be changed, left out or moved unseen.

Here belongs what an entry is, how it is hashed and signed, and whether a chain holds. Not here: roots by day and their proofs
(`core.merkle`), files that leave the house (`core.audit_export`), where entries are kept (`orchestration.resources.audit`).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PLATFORM = ""
"""In the place of a tenant's id: the chain of what concerns the whole installation."""

_DOMAIN = "flexoraa.audit.1"  # the first item of whatever is hashed or signed here, so that nothing else of ours hashes alike
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_PERSONAL = re.compile(r"[^\s@\"]+@[^\s@\"]+\.[^\s@\"]+|\+[1-9][0-9]{7,14}(?![0-9])")
_HEX = re.compile(r"[0-9a-f]{192}")  # a public key and a signature
LONGEST_DETAILS = 65_536


class AuditError(Exception):
    """What cannot become an entry; the message says why and never quotes it."""


class Entry(NamedTuple):
    """One entry. `number` counts from 1 in its tenant's chain; hashes and the signature are lower-case hex, `details` holds JSON values.

    `recorded_at` never goes back within a chain, `previous` is the hash of the entry before it (`beginning` for the first).
    """

    tenant_id: str
    number: int
    recorded_at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]
    previous: str
    hash: str
    signature: str

    @property
    def id(self) -> str:
        """How people name it: tenant and number."""
        return f"{self.tenant_id}/{self.number}"


class Wanted(NamedTuple):
    """What is to be appended. `actor` is a person's id, a role's or a program's name, `subject` a surrogate or a name of ours."""

    tenant_id: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


class Finding(NamedTuple):
    """Where something does not hold, and what."""

    place: str
    problem: str


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no space, no NaN.

    >>> canonical({"b": 1, "a": ["ü", None]})
    '{"a":["ü",null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def beginning(tenant_id: str) -> str:
    """What the first entry of a chain follows: its tenant's own, so that no chain can be shown as another tenant's."""
    return _digest([_DOMAIN, "beginning", tenant_id])


def checked(wanted: Wanted) -> Wanted:
    """The same with plain JSON values, as they will be read again.

    Raises:
        AuditError: the action is no dotted name, the details are no JSON or too long, or something holds what looks like an e-mail
            address or a phone number: entries outlive an erasure, so they name people by surrogates only.
    """
    if not _NAME.fullmatch(wanted.action):
        raise AuditError(f"the action {wanted.action!r} must be a dotted name, such as erasure.approved")
    try:
        text = canonical(dict(wanted.details))
        (text + wanted.actor + wanted.subject).encode()
    except (TypeError, ValueError) as error:
        raise AuditError(f"the details of {wanted.action} are no JSON in UTF-8: {error}") from error
    if len(text) > LONGEST_DETAILS:
        raise AuditError(f"the details of {wanted.action} have {len(text):,} characters; at most {LONGEST_DETAILS:,} are kept")
    if "\\u0000" in text or any("\x00" in each for each in (wanted.actor, wanted.subject)):
        raise AuditError(f"the entry {wanted.action} holds a zero character, which no database keeps")
    if _PERSONAL.search(text) or _PERSONAL.search(wanted.subject):
        raise AuditError(f"the entry {wanted.action} holds an e-mail address or a phone number: name people by their surrogates")
    return wanted._replace(details=json.loads(text))


def make_entry(wanted: Wanted, last: Entry | None, now: datetime, key: Ed25519PrivateKey) -> Entry:
    """The entry that follows `last`, signed.

    Args:
        wanted: what happened.
        last: the newest entry of the same tenant's chain, None before the first.
        now: with an offset; where the clock went back, the moment of `last` is kept.
        key: the installation's signing key (`signing_key`).

    Raises:
        AuditError: as `checked`.
    """
    wanted = checked(wanted)
    moment = now.astimezone(UTC) if last is None else max(now.astimezone(UTC), last.recorded_at)
    previous = beginning(wanted.tenant_id) if last is None else last.hash
    number = 1 if last is None else last.number + 1
    entry = Entry(wanted.tenant_id, number, moment, wanted.actor, wanted.action, wanted.subject, wanted.details, previous, "", "")
    entry = entry._replace(hash=hash_of(entry))
    return entry._replace(signature=sign(key, entry.hash))


def hash_of(entry: Entry) -> str:
    """SHA-256 over everything of the entry but hash and signature."""
    return _digest(
        [
            *(_DOMAIN, "entry", entry.tenant_id, entry.number, entry.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")),
            *(entry.actor, entry.action, entry.subject, dict(entry.details), entry.previous),
        ]
    )


def signing_key(seed: bytes) -> Ed25519PrivateKey:
    """The Ed25519 key of 32 secret bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half, 64 hex digits: what a verifier elsewhere is given."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, text: str) -> str:
    """Signature of a text, in hex."""
    return key.sign(f"{_DOMAIN}\n{text}".encode()).hex()


def is_signed(public: str, text: str, signature: str) -> bool:
    """Whether the owner of the public key signed the text; a signature has one form, so that a changed letter's case is a change."""
    if not _HEX.fullmatch(public + signature):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), f"{_DOMAIN}\n{text}".encode())
    except (InvalidSignature, ValueError):
        return False
    return True


class Chain:
    """One tenant's chain while it is read from its first entry on."""

    def __init__(self, tenant_id: str) -> None:
        """Nothing is read yet."""
        self.tenant_id = tenant_id
        self.length = 0
        self.head = beginning(tenant_id)
        self._latest: datetime | None = None

    def look(self, entry: Entry) -> Iterator[Finding]:
        """What does not hold at the next entry; signatures are looked at by `broken_signatures`."""
        if entry.tenant_id != self.tenant_id:
            yield Finding(entry.id, f"lies in the chain of {self.tenant_id!r}")
        if entry.number != self.length + 1:
            yield Finding(entry.id, f"comes where entry {self.length + 1} must be: entries are missing, repeated or out of order")
        if entry.previous != self.head:
            yield Finding(entry.id, "does not follow the entry before it: something was changed, left out or put in")
        if hash_of(entry) != entry.hash:
            yield Finding(entry.id, "was changed: its hash is another one")
        if self._latest is not None and entry.recorded_at < self._latest:
            yield Finding(entry.id, "is earlier than the entry before it")
        self.length, self.head, self._latest = entry.number, entry.hash, entry.recorded_at


def broken_links(tenant_id: str, entries: Iterable[Entry]) -> Iterator[Finding]:
    """Every place at which a tenant's chain, from its first entry on, does not hold."""
    chain = Chain(tenant_id)
    for entry in entries:
        yield from chain.look(entry)


def broken_signatures(entries: Iterable[Entry], public: str) -> Iterator[Finding]:
    """Every entry that the owner of the public key did not sign."""
    for entry in entries:
        if not is_signed(public, entry.hash, entry.signature):
            yield Finding(entry.id, "was not signed by this installation's key")


def _digest(items: list[Any]) -> str:
    return hashlib.sha256(canonical(items).encode()).hexdigest()
