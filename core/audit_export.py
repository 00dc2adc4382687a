"""The audit log as a file that leaves the house, and the verifier that needs nothing but that file.

Here belongs the format and its verification. Not here: where entries come from, or files (`orchestration.audit_command`).

One JSON object a line, each in its canonical form: a header, then by tenant its entries with each day's root after them, then a seal: the
length and head of every chain and the SHA-256 of all lines before it, signed. A changed byte, a missing end, a missing tenant are found.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.audit import Chain, Entry, Finding, broken_signatures, canonical, is_signed, public_text, sign
from core.audit_roots import DayRoot, day_root, days, root_of

FORMAT = "flexoraa.audit.1"


def export_lines(
    chains: Mapping[str, Iterable[Entry]], key: Ed25519PrivateKey, exported_at: datetime, *, is_whole: bool
) -> Iterator[bytes]:
    """The file, line by line.

    Args:
        chains: entries by tenant, each from its first on.
        key: signs the roots and the seal.
        exported_at: with an offset.
        is_whole: all tenants' chains, so that one that is missing is a finding.
    """
    digest, lines, ends = hashlib.sha256(), 0, {}

    def line(value: dict[str, Any]) -> bytes:
        nonlocal lines
        made = f"{canonical(value)}\n".encode()
        digest.update(made)
        lines += 1
        return made

    moment = exported_at.astimezone(UTC).isoformat(timespec="microseconds")
    header = {"kind": "header", "format": FORMAT, "exported_at": moment, "public_key": public_text(key), "is_whole": is_whole}
    yield line(header | {"tenants": sorted(chains)})
    for tenant_id in sorted(chains):
        ends[tenant_id] = [0, ""]
        for entries in days(chains[tenant_id]):
            for entry in entries:
                yield line({"kind": "entry"} | plain(entry))
            yield line({"kind": "day"} | day_root(entries, key)._asdict())
            ends[tenant_id] = [entries[-1].number, entries[-1].hash]
    seal = {"kind": "seal", "chains": ends, "lines": lines, "sha256": digest.hexdigest()}
    yield f"{canonical(seal | {'signature': sign(key, canonical(seal))})}\n".encode()


def plain(entry: Entry) -> dict[str, Any]:
    """An entry as JSON has it."""
    return entry._asdict() | {"recorded_at": entry.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")}


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The entry that `plain` made.

    Raises:
        ValueError: it is none.
    """
    if set(row) != set(Entry._fields):
        raise ValueError("its fields are not those of an entry")
    entry = Entry(**{**row, "recorded_at": datetime.fromisoformat(row["recorded_at"])})
    texts = [each for each in entry if isinstance(each, str)]
    if len(texts) != 7 or not isinstance(entry.number, int) or not isinstance(entry.details, dict) or plain(entry) != row:
        raise ValueError("a field of it is of another type or form")
    return entry


class Verification:
    """One reading of an export: ask for `findings` once; `lengths` and `public_key` say afterwards what was read."""

    def __init__(self, lines: Iterable[bytes], public_key: str | None = None, witnessed: Sequence[DayRoot] = ()) -> None:
        """`public_key` is that of the installation, if it is known from elsewhere; `witnessed` roots were written down elsewhere."""
        self._lines = lines
        self._trusted = public_key
        self._witnessed = witnessed
        self._digest = hashlib.sha256()
        self._count = 0
        self._is_whole = False
        self._tenants: list[str] = []
        self._hashes: dict[str, list[str]] = {}
        self._chains: dict[str, Chain] = {}
        self._days: list[DayRoot] = []
        self.public_key = ""

    @property
    def lengths(self) -> dict[str, int]:
        """How many entries each tenant's chain has."""
        return {tenant_id: len(hashes) for tenant_id, hashes in self._hashes.items()}

    def findings(self) -> Iterator[Finding]:
        """Everything that does not hold; nothing where the log is whole and unchanged."""
        is_sealed = False
        for number, raw in enumerate(self._lines, 1):
            place = f"line {number}"
            if is_sealed:
                yield Finding(place, "comes after the seal")
                return
            try:
                value = json.loads(raw)
                if not isinstance(value, dict) or f"{canonical(value)}\n".encode() != raw:
                    raise ValueError("not the one form of a line")
                kind = value.pop("kind", None)
                if (number == 1) != (kind == "header") or kind not in {"header", "entry", "day", "seal"}:
                    raise ValueError("a line of this kind does not belong here")
                yield from getattr(self, f"_{kind}")(place, value)
            except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
                yield Finding(place, f"cannot be read: it was changed, or is no line of an export ({error})")
                return
            is_sealed = kind == "seal"
            self._digest.update(raw)
            self._count += 1
        if not is_sealed:
            yield Finding("end", "the seal is missing: the file was cut off")
        yield from self._testify()

    def _header(self, place: str, value: dict[str, Any]) -> Iterator[Finding]:
        if value["format"] != FORMAT:
            raise ValueError(f"the format is {value['format']!r}, and not {FORMAT}")
        self.public_key, self._is_whole, self._tenants = value["public_key"], value["is_whole"], value["tenants"]
        self._chains = {tenant_id: Chain(tenant_id) for tenant_id in self._tenants}
        self._hashes = {tenant_id: [] for tenant_id in self._tenants}
        if self._trusted is not None and self.public_key != self._trusted:
            yield Finding(place, "the export was signed by another key than this installation's")
        if {each.public_key for each in self._witnessed} - {self.public_key}:
            yield Finding(place, "the witness file was signed by another key than the export")

    def _entry(self, place: str, value: dict[str, Any]) -> Iterator[Finding]:
        entry = entry_of(value)
        later = [tenant_id for tenant_id in self._tenants if tenant_id > entry.tenant_id and self._hashes[tenant_id]]
        if entry.tenant_id not in self._chains or later:
            yield Finding(place, "an entry of a tenant whose chain is not told here")
            return
        yield from self._chains[entry.tenant_id].look(entry)
        yield from broken_signatures([entry], self.public_key)
        self._hashes[entry.tenant_id].append(entry.hash)

    def _day(self, place: str, value: dict[str, Any]) -> Iterator[Finding]:
        said = DayRoot(**value)
        if self._root(said) != said.root:
            yield Finding(place, f"the root of {said.day} of {said.tenant_id!r} is not that of its entries")

    def _seal(self, place: str, value: dict[str, Any]) -> Iterator[Finding]:
        signature = value.pop("signature")
        if not is_signed(self.public_key, canonical({"kind": "seal"} | value), signature):
            yield Finding(place, "the seal was not signed by the key that the export names")
        if value["sha256"] != self._digest.hexdigest() or value["lines"] != self._count:
            yield Finding(place, "the lines are not those that were sealed: some were changed, left out, moved or put in")
        ends = {tenant_id: [chain.length, chain.head if chain.length else ""] for tenant_id, chain in self._chains.items()}
        if value["chains"] != ends:
            yield Finding(place, "the chains do not end where the seal says")

    def _testify(self) -> Iterator[Finding]:
        for said in self._witnessed:
            place = f"{said.tenant_id}/{said.last}"
            if said.tenant_id not in self._hashes:
                if self._is_whole:
                    yield Finding(place, "was witnessed, and its tenant's chain is gone")
                continue
            length = len(self._hashes[said.tenant_id])
            if length < said.last:
                yield Finding(place, f"was witnessed on {said.day}, and the log ends at entry {length}: its end was cut off")
            elif self._root(said) != said.root:
                yield Finding(place, f"is not what was witnessed on {said.day}: the log was rewritten or forked")

    def _root(self, said: DayRoot) -> str:
        return root_of(self._hashes[said.tenant_id][said.first - 1 : said.last])
