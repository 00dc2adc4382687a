"""What a day of a tenant's log comes to: one signed root, a proof that an entry is under it, and roots that lie elsewhere as witnesses.

Here belongs what is said of a day and what that proves. Not here: the tree (`core.merkle`), whole exports (`core.audit_export`).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import merkle
from core.audit import AuditError, Entry, Finding, canonical, hash_of, is_signed, public_text, sign


class DayRoot(NamedTuple):
    """The root over the hashes of a tenant's entries `first` to `last`, which are those of a UTC day up to some moment of it.

    `head` is the hash of entry `last`; `public_key` says who signed.
    """

    tenant_id: str
    day: str
    first: int
    last: int
    root: str
    head: str
    public_key: str
    signature: str


def days(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """One tenant's entries, by the UTC day of their moment."""
    for _, group in groupby(entries, key=_day):
        yield list(group)


def day_root(entries: Sequence[Entry], key: Ed25519PrivateKey) -> DayRoot:
    """The signed root of one day's entries, at least one."""
    first, last = entries[0], entries[-1]
    root = root_of([each.hash for each in entries])
    said = DayRoot(first.tenant_id, _day(first), first.number, last.number, root, last.hash, public_text(key), "")
    return said._replace(signature=sign(key, _text(said)))


def root_of(hashes: Sequence[str]) -> str:
    """The root over entries' hashes, in hex."""
    return merkle.root([bytes.fromhex(each) for each in hashes]).hex()


def is_genuine(said: DayRoot) -> bool:
    """Whether the owner of the key that it names signed it."""
    return is_signed(said.public_key, _text(said), said.signature)


def witness_line(said: DayRoot) -> str:
    """As one line of a witness file."""
    return canonical(said._asdict())


def read_witness(lines: Iterable[str]) -> list[DayRoot]:
    """The roots of a witness file.

    Raises:
        AuditError: a line that is none, or that its key did not sign, with its number.
    """
    import msgspec

    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = DayRoot(**msgspec.json.decode(line, type=dict[str, Any]))
            msgspec.convert(said._asdict(), dict[str, str | int])
        except (msgspec.DecodeError, msgspec.ValidationError, TypeError) as error:
            raise AuditError(f"line {number} of the witness file is no root of a day: {error}") from error
        if not is_genuine(said):
            raise AuditError(f"line {number} of the witness file was changed: its signature does not hold")
        found.append(said)
    return found


class Proof(NamedTuple):
    """That an entry lies under a day's root; `path` leads from its hash to the root (RFC 9162, 2.1.3)."""

    entry: Entry
    path: tuple[str, ...]
    day_root: DayRoot


def prove(entries: Sequence[Entry], number: int, key: Ed25519PrivateKey) -> Proof:
    """The proof for one entry; `entries` are those of its day.

    Raises:
        AuditError: it is not among them.
    """
    place = next((place for place, each in enumerate(entries) if each.number == number), None)
    if place is None:
        raise AuditError(f"there is no entry {number} on that day")
    said = day_root(entries, key)
    path = merkle.proof([bytes.fromhex(each.hash) for each in entries], place)
    return Proof(entries[place], tuple(each.hex() for each in path), said)


def broken_proof(proof: Proof, public_key: str | None = None, witnessed: Sequence[DayRoot] = ()) -> Iterator[Finding]:
    """What does not hold of a proof; with a key or witnesses also whether it is this installation's."""
    entry, said = proof.entry, proof.day_root
    if hash_of(entry) != entry.hash:
        yield Finding(entry.id, "was changed: its hash is another one")
    if entry.tenant_id != said.tenant_id or _day(entry) != said.day:
        yield Finding(entry.id, f"is not of the day {said.day} of {said.tenant_id!r}")
    place, size = entry.number - said.first, said.last - said.first + 1
    try:
        is_in = merkle.is_included(*(bytes.fromhex(entry.hash), place, size, [bytes.fromhex(each) for each in proof.path]),
                                   bytes.fromhex(said.root))  # fmt: skip
    except ValueError:
        is_in = False
    if not is_in:
        yield Finding(entry.id, "does not lie under the root")
    if not is_genuine(said) or not is_signed(said.public_key, entry.hash, entry.signature):
        yield Finding(entry.id, "entry and root were not signed by the key that the proof names")
    if public_key is not None and said.public_key != public_key:
        yield Finding(entry.id, "was signed by another installation's key")
    for each in witnessed:
        if (each.tenant_id, each.day, each.last) == (said.tenant_id, said.day, said.last) and each.root != said.root:
            yield Finding(entry.id, "its root is not the one that the witness file has: the log was forked")


def _day(entry: Entry) -> str:
    return entry.recorded_at.date().isoformat()


def _text(said: DayRoot) -> str:
    return canonical(["root", *said[:-1]])
