"""What people decided on identity, in `ops.identity_decisions`, and the dated strengths of evidence, in the seed of that name.

Here belongs reading both and adding a decision. Not here: what they mean (`core.identity_evidence`), the command (`identity_command`).
"""

import csv
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from psycopg.errors import UniqueViolation

from assets.project import PROJECT
from core.identity_evidence import Decision, Strength, Verdict
from core.identity_holders import point_of
from core.sealing import SealError, seal, unseal
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

STRENGTHS = PROJECT / "seeds" / "identity_strengths.csv"
_FIELDS = ", ".join(Decision._fields)


class IdentityError(Exception):
    """What was asked for cannot be decided; the message says why and what to do."""


class Wanted(NamedTuple):
    """A decision to be recorded; `follows` is the number of the one that stands, 0 where none does."""

    tenant_id: str
    link_id: str
    verdict: Verdict
    one_id: str
    other_id: str
    decided_at: datetime
    decided_by: str
    reason: str
    follows: int


class Record(NamedTuple):
    """A decision with who and why; `reason` None: a person that it speaks of was erased, and it with him."""

    decision: Decision
    decided_by: str
    reason: str | None


def read_strengths() -> list[Strength]:
    """The rows of the seed `identity_strengths`.

    Raises:
        IdentityError: a row that cannot be read, with its line.
    """
    rows = []
    with STRENGTHS.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            try:
                moments = {key: datetime.fromisoformat(row[key]) for key in ("valid_from", "valid_to") if row[key]}
                given = {key: value for key, value in row.items() if value or key == "source"}
                rows.append(msgspec.convert({"most_leads": None} | given | moments, Strength, strict=False))
            except ValueError as error:  # msgspec's own are such too
                raise IdentityError(f"{STRENGTHS}:{line}: {error}") from error
    return rows


class PostgresIdentity:
    """The port `core.identity_ports.Identity`, and the journal of decisions for people."""

    def __init__(self, state: State, vault: Vault) -> None:
        """Take the state, and the vault under whose keys reasons are sealed."""
        self._state = state
        self._vault = vault
        self._audit = PostgresAudit(state, vault)

    def strengths(self) -> Sequence[Strength]:
        """The rows of the seed `identity_strengths`."""
        return read_strengths()

    def decisions(self, as_of: datetime) -> Sequence[Decision]:
        """Every decision of every tenant up to a moment, in the order in which they were made."""
        with self._state.psycopg() as connection:
            select = f"select {_FIELDS} from ops.identity_decisions where decided_at <= %s order by decided_at, number"
            return [Decision._make(row) for row in connection.execute(select, (as_of,))]

    def records(self, as_of: datetime, tenant_id: str | None = None) -> list[Record]:
        """Decisions up to a moment with who and why, of one tenant or of all, in their order."""
        select = (
            f"select {_FIELDS}, decided_by, reason_enc, follows from ops.identity_decisions "
            "where decided_at <= %s and (%s::text is null or tenant_id = %s) order by decided_at, number"
        )
        with self._state.psycopg() as connection:
            rows = connection.execute(select, (as_of, tenant_id, tenant_id), binary=True).fetchall()
        found = []
        for *fields, decided_by, reason_enc, follows in rows:
            decision = Decision._make(fields)
            key = self._key(decision.tenant_id, decision.one_id, decision.other_id)
            try:
                reason = unseal(key, reason_enc, _place(decision.link_id, follows)).decode()
            except SealError:
                reason = None
            found.append(Record(decision, decided_by, reason))
        return found

    def people(self, tenant_id: str, moment: datetime) -> dict[str, str]:
        """The tenant's staff at a moment and their roles."""
        select = (
            "select body ->> 'person_id', body ->> 'role' from ops.reference where section = 'people' and tenant_id = %s "
            "and valid_from <= %s and (valid_to is null or %s < valid_to) order by 1"
        )
        with self._state.psycopg() as connection:
            return dict(connection.execute(select, (tenant_id, moment, moment)).fetchall())

    def tenants(self) -> set[str]:
        """Ids of all tenants."""
        with self._state.psycopg() as connection:
            return {row[0] for row in connection.execute("select tenant_id from ops.tenants")}

    def decide(self, wanted: Wanted) -> None:
        """Add a decision.

        Raises:
            IdentityError: somebody else decided on the same link in between.
        """
        row = wanted._asdict()
        key = self._key(wanted.tenant_id, wanted.one_id, wanted.other_id)
        row["reason_enc"] = seal(key, row.pop("reason").encode(), _place(wanted.link_id, wanted.follows))
        names = ", ".join(row)
        insert = f"insert into ops.identity_decisions ({names}) values ({', '.join(f'%({name})s' for name in row)})"
        try:
            with self._state.psycopg() as connection:
                connection.execute(insert, row)
                told = {"one_id": wanted.one_id, "other_id": wanted.other_id, "follows": wanted.follows}
                told |= {"decided_at": wanted.decided_at.isoformat()}
                named = (wanted.decided_by, f"identity.{wanted.verdict}", wanted.link_id)
                self._audit.within(connection).append(wanted.tenant_id, *named, told)
        except UniqueViolation as error:
            message = f"{wanted.link_id} was decided on by somebody else at this moment: look at it again (flexoraa identity list)"
            raise IdentityError(message) from error

    def _key(self, tenant_id: str, *ends: str) -> bytes:
        """Of the tenant's key and those of both points: whoever of the two is erased takes the reason along."""
        points = [point_of(end) for end in ends]
        keys = self._vault.keys(tenant_id, points)
        parts = b"".join(keys.get(point, b"") for point in points)
        return hashlib.blake2b(parts, key=self._vault.tenant_key(tenant_id, "identity"), digest_size=32).digest()


def _place(link_id: str, follows: int) -> bytes:
    return f"{link_id}:{follows}:reason".encode()
