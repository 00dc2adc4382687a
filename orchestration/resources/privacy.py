"""Requests of people about their own data in Postgres: `ops.privacy_requests`, the journal of their steps, and their certificates.

Here belong the tables. What may be done with a request is `core.privacy`'s, and a trigger's. Not here: who a person is (`persons`), what
the steps do (`erasure`), the command (`orchestration.gdpr_command`).
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.errors import CheckViolation, UniqueViolation

from core.privacy import PrivacyError, Request
from core.sealing import SealError, seal, unseal
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

_COLUMNS = ", ".join(Request._fields)
_INSERTED = tuple(field for field in Request._fields if field not in {"state", "fence"})
_VALUES = ", ".join(f"%({name})s" for name in (*_INSERTED, "reason_enc"))
_INSERT = f"insert into ops.privacy_requests ({', '.join(_INSERTED)}, reason_enc) values ({_VALUES})"


class Certificate(NamedTuple):
    """What a verification came to, as it was signed; `body` is the very text."""

    request_id: str
    tenant_id: str
    fence: int
    hits: int
    made_at: datetime
    body: str
    signature: str
    public_key: str


class PostgresRequests:
    """The tables of requests."""

    def __init__(self, state: State, vault: Vault) -> None:
        """`vault`: under whose keys people's words are sealed."""
        self._state = state
        self._vault = vault

    @contextmanager
    def _guarded(self, request: Request | None = None) -> Iterator[Connection]:
        """A transaction; what the database refuses is a PrivacyError."""
        try:
            with self._state.kept() as connection:
                yield connection
        except CheckViolation as error:
            words = error.diag.message_primary or "the database refuses it"
            raise PrivacyError("refused_by_database", words.removeprefix("privacy: ")) from error
        except UniqueViolation as error:
            raise PrivacyError("second_request", "a request of this kind for this person is open already: flexoraa gdpr status") from error

    def find(self, request_id: str) -> Request:
        """One request.

        Raises:
            PrivacyError: there is none of this id.
        """
        found = self._select("request_id = %s", (request_id,))
        if not found:
            raise PrivacyError("unknown_request", f"there is no request {request_id!r}; flexoraa gdpr status shows all")
        return found[0]

    def ids(self) -> list[str]:
        """All of them."""
        with self._state.kept() as connection:
            return [row[0] for row in connection.execute("select request_id from ops.privacy_requests")]

    def all(self, tenant_id: str | None = None, states: Collection[str] = (), ids: Collection[str] = ()) -> list[Request]:
        """Requests of a tenant, in states, of ids; empty means any. Oldest first."""
        return self._select(
            "(%s::text is null or tenant_id = %s) and (cardinality(%s::text[]) = 0 or state = any(%s)) "
            "and (cardinality(%s::text[]) = 0 or request_id = any(%s))",
            (tenant_id, tenant_id, list(states), list(states), list(ids), list(ids)),
        )

    def _select(self, condition: str, values: Sequence[Any]) -> list[Request]:
        with self._state.kept() as connection:
            rows = connection.execute(
                f"select {_COLUMNS} from ops.privacy_requests where {condition} order by requested_at, request_id", values
            ).fetchall()
        names = Request._fields
        return [Request(**(dict(zip(names, row, strict=True)) | {"point_ids": tuple(row[names.index("point_ids")])})) for row in rows]

    def role(self, tenant_id: str, person_id: str, at: datetime) -> str | None:
        """What somebody is for a tenant at a moment, as the trigger sees it."""
        with self._state.kept() as connection:
            row = connection.execute("select ops.privacy_role(%s, %s, %s)", (tenant_id, person_id, at)).fetchone()
        return None if row is None else row[0]

    def tenants(self) -> set[str]:
        """Ids of all tenants."""
        with self._state.kept() as connection:
            return {row[0] for row in connection.execute("select tenant_id from ops.tenants")}

    def add(self, request: Request, reason: str | None = None) -> None:
        """A new one; the reason is sealed under the keys of the person that it speaks of.

        Raises:
            PrivacyError: one of the same kind for the same person is open.
        """
        row = {name: getattr(request, name) for name in _INSERTED} | {"point_ids": list(request.point_ids)}
        row["reason_enc"] = None if reason is None else seal(self._key(request), reason.encode(), _place(request, "reason"))
        with self._guarded() as connection:
            connection.execute(_INSERT, row)

    def known_events(self, tenant_id: str) -> set[str]:
        """Events of the feed that are requests already."""
        with self._state.kept() as connection:
            select = "select event_id from ops.privacy_requests where tenant_id = %s and event_id is not null"
            return {row[0] for row in connection.execute(select, (tenant_id,))}

    def reason(self, request: Request) -> str | None:
        """Why it was made; None where nobody said, or the person is erased and the words with it."""
        with self._state.kept() as connection:
            row = connection.execute(
                "select reason_enc from ops.privacy_requests where request_id = %s", (request.request_id,), binary=True
            ).fetchone()
        if row is None or row[0] is None:
            return None
        try:
            return unseal(self._key(request), row[0], _place(request, "reason")).decode()
        except SealError:
            return None

    def change(self, request: Request, after: Mapping[str, Any], decision: str | None = None) -> Request:
        """Change columns, if the request still is as it was read.

        Raises:
            PrivacyError: somebody else changed it in between, or the database refuses it.
        """
        row = dict(after)
        if "point_ids" in row:
            row["point_ids"] = list(row["point_ids"])
        if decision is not None:
            row["decision_enc"] = seal(self._key(request), decision.encode(), _place(request, f"decision:{request.fence}"))
        sets = ", ".join(f"{name} = %({name})s" for name in row)
        with self._guarded(request) as connection:
            done = connection.execute(
                f"update ops.privacy_requests set {sets} where request_id = %(id)s and state = %(before)s and fence = %(token)s",
                row | {"id": request.request_id, "before": request.state, "token": request.fence},
            )
            if done.rowcount == 0:
                raise PrivacyError("changed_meanwhile", f"somebody else worked on {request.request_id} at this moment: look at it again")
        return request._replace(**{name: value for name, value in after.items() if name in Request._fields})

    def steps(self, request_id: str) -> dict[str, dict[str, Any]]:
        """The journal: of each step when it was begun and done, and what it came to."""
        return self.journals([request_id])[request_id]

    def journals(self, request_ids: Collection[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """The journals of several, by request."""
        select = "select request_id, step, fence, begun_at, done_at, details from ops.privacy_steps where request_id = any(%s)"
        found: dict[str, dict[str, dict[str, Any]]] = {each: {} for each in request_ids}
        with self._state.kept() as connection:
            for request_id, step, *row in connection.execute(select, (list(request_ids),)):
                found[request_id][step] = dict(zip(("fence", "begun_at", "done_at", "details"), row, strict=True))
        return found

    def begin_step(self, requests: Sequence[Request], step: str, now: datetime) -> None:
        """Note that a step is about to be made for these.

        Raises:
            PrivacyError: another run took over one of them.
        """
        upsert = (
            "insert into ops.privacy_steps (request_id, tenant_id, step, fence, begun_at) "
            "select r.request_id, r.tenant_id, %s, r.fence, %s "
            "from ops.privacy_requests as r join unnest(%s::text[], %s::bigint[]) as mine (request_id, fence) using (request_id, fence) "
            "where r.state = 'running' on conflict (request_id, step) "
            "do update set fence = excluded.fence, begun_at = excluded.begun_at, done_at = null"
        )
        with self._guarded() as connection:
            _check_fences(requests, connection.execute(upsert, (step, now, *_fences(requests))).rowcount)

    def end_step(
        self, requests: Sequence[Request], step: str, now: datetime, details: Mapping[str, Mapping[str, Any]],
        subjects: Mapping[str, bytes] | None = None,
    ) -> None:  # fmt: skip
        """Note that it is done, with what it came to by request; and with it, in the same transaction, what is to be searched for."""
        update = (
            "update ops.privacy_steps as s set done_at = %s, details = mine.details from ops.privacy_requests as r "
            "join unnest(%s::text[], %s::bigint[], %s::jsonb[]) as mine (request_id, fence, details) using (request_id, fence) "
            "where s.request_id = r.request_id and s.fence = r.fence and s.step = %s and r.state = 'running'"
        )
        found = [json.dumps(details.get(each.request_id, {}), default=str) for each in requests]
        with self._guarded() as connection:
            if subjects is not None:
                connection.cursor().executemany(
                    "update ops.privacy_requests set subject_enc = %s where request_id = %s and fence = %s",
                    [(subjects[each.request_id], each.request_id, each.fence) for each in requests],
                )
            _check_fences(requests, connection.execute(update, (now, *_fences(requests), found, step)).rowcount)

    def reopen_steps(self, request: Request, kept: Collection[str]) -> None:
        """All steps but those kept are to be made again."""
        with self._state.kept() as connection:
            connection.execute(
                "update ops.privacy_steps set done_at = null where request_id = %s and not step = any(%s)", (request.request_id, list(kept))
            )

    def subject(self, request_id: str) -> bytes | None:
        """What is searched for, as it was sealed."""
        return self._sealed("subject_enc", [request_id]).get(request_id)

    def witnesses(self, request_ids: Collection[str]) -> dict[str, bytes]:
        """What the verifier saw before anything was erased, as it was sealed, of those of which it was kept."""
        return self._sealed("witness_enc", request_ids)

    def keep_witnesses(self, requests: Sequence[Request], sealed: Mapping[str, bytes]) -> None:
        """Keep what the verifier saw, once."""
        update = "update ops.privacy_requests set witness_enc = %s where request_id = %s and fence = %s and witness_enc is null"
        with self._guarded() as connection:
            connection.cursor().executemany(update, [(sealed[each.request_id], each.request_id, each.fence) for each in requests])

    def _sealed(self, column: str, request_ids: Collection[str]) -> dict[str, bytes]:
        select = f"select request_id, {column} from ops.privacy_requests where request_id = any(%s) and {column} is not null"
        with self._state.kept() as connection:
            return {key: bytes(value) for key, value in connection.execute(select, (list(request_ids),), binary=True)}

    def certify(self, certificate: Certificate) -> int:
        """Keep a certificate; returns its number."""
        insert = (
            "insert into ops.privacy_certificates (request_id, tenant_id, number, fence, hits, made_at, body, signature, public_key) "
            "select %(request_id)s, %(tenant_id)s, coalesce(max(number), 0) + 1, %(fence)s, %(hits)s, %(made_at)s, %(body)s, "
            "%(signature)s, %(public_key)s from ops.privacy_certificates where request_id = %(request_id)s returning number"
        )
        with self._state.kept() as connection:
            row = connection.execute(insert, certificate._asdict()).fetchone()
        return 0 if row is None else int(row[0])

    def certificates(self, request_id: str) -> list[Certificate]:
        """All of a request, the newest last."""
        names = ", ".join(Certificate._fields)
        with self._state.kept() as connection:
            select = f"select {names} from ops.privacy_certificates where request_id = %s order by number"
            return [Certificate._make(row) for row in connection.execute(select, (request_id,))]

    def _key(self, request: Request) -> bytes:
        """Of the tenant's key and those of the person's first point: whoever is erased takes the words along."""
        lead = "cp_" + request.lead_id.removeprefix("lead_").partition("_")[0]
        part = self._vault.keys(request.tenant_id, [lead]).get(lead, b"")
        return hashlib.blake2b(part, key=self._vault.tenant_key(request.tenant_id, "privacy"), digest_size=32).digest()


def _fences(requests: Sequence[Request]) -> tuple[list[str], list[int]]:
    return [each.request_id for each in requests], [each.fence for each in requests]


def _check_fences(requests: Sequence[Request], rows: int) -> None:
    if rows != len(requests):
        raise PrivacyError("lost", f"another run has taken over one of {len(requests)} requests: this one does nothing more")


def _place(request: Request, name: str) -> bytes:
    return json.dumps([request.request_id, name]).encode()
