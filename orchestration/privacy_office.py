"""What people do with requests: make them, verify who asks, approve, deny; each attempt is in the audit log, refused ones too.

Here belongs that, over the rules of `core.privacy`. Not here: executing (`privacy_run`), the command line (`gdpr_cli`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.action_ports import Outbox
from core.audit_ports import Audit
from core.events import PrivacyRequest
from core.ports import Clock, Lake
from core.privacy import SUBJECT, Kind, PrivacyError, Request, check_decider, check_verifier, days_left, moved, new_request, warnings
from core.reference import Tenant
from orchestration.resources.persons import Person, Persons
from orchestration.resources.privacy import Certificate, PostgresRequests
from orchestration.resources.reference import read_rows
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

LONGEST_REASON = 2_000
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_LEAST = 4


@dataclass(frozen=True)
class Office:
    """Requests of one installation."""

    settings: Settings
    state: State
    vault: Vault
    clock: Clock
    audit: Audit
    requests: PostgresRequests

    def request(self, tenant_id: str, kind: Kind, person: str, by: str, reason: str) -> Request:
        """A new request, made by one of the tenant's people for the person.

        Raises:
            PrivacyError: nobody or several are meant, one of the kind is open, or `by` may not.
        """
        now = self.clock.now()
        with self._audited(tenant_id, by, "request", tenant_id, kind=kind):
            if tenant_id not in self.requests.tenants():
                known = ", ".join(sorted(self.requests.tenants())) or "none yet"
                raise PrivacyError("unknown_tenant", f"there is no tenant {tenant_id!r}; there are {known}")
            check_words(reason)
            role = self.requests.role(tenant_id, by, now)
            if role is None or role == "viewer":
                word = "is a viewer" if role else "is nobody"
                raise PrivacyError(
                    "wrong_role", f"{by} {word} of {tenant_id} and may not make a request: name an operator, manager or admin"
                )
            meant = self.persons().find(tenant_id, person, self._region(tenant_id))
            if not meant.point_ids:
                raise PrivacyError("no_points", f"{meant.lead_id} holds no contact point any more: its numbers are other leads' now")
            self._check_open(meant, kind)
            made = new_request(now.isoformat(), tenant_id, kind, (meant.lead_id, meant.point_ids), by, now)
            self.requests.add(made, reason)
        self.audit.append(tenant_id, by, "privacy.requested", made.request_id, {"kind": kind, "lead_id": made.lead_id})
        return self.requests.find(made.request_id)

    def verify_identity(self, request_id: str, by: str) -> Request:
        """Somebody has made sure that the person is who it claims to be; where links changed since, for whom they make it."""
        request = self.find(request_id)
        with self._audited(request.tenant_id, by, "verify-identity", request.request_id):
            moved(request, "verify-identity")
            check_verifier(request, by, self.requests.role(request.tenant_id, by, self.clock.now()))
            person = self.persons().lead(request.tenant_id, request.lead_id)
            after: dict[str, Any] = {"state": "verified", "verified_by": by, "verified_at": self.clock.now(), "point_ids": person.point_ids}
            if request.state == "approved":
                after |= {"decided_by": None, "decided_at": None, "decision_enc": None, "is_late": False}
            made = self.requests.change(request, after)
        self.audit.append(request.tenant_id, by, "privacy.verified", request.request_id, {"contact_points": len(made.point_ids)})
        return made

    def decide(self, request_id: str, by: str, reason: str, *, is_approval: bool, late: str | None = None) -> Request:
        """Approve or deny."""
        request, now = self.find(request_id), self.clock.now()
        deed = "approve" if is_approval else "deny"
        with self._audited(request.tenant_id, by, deed, request.request_id):
            after_state = moved(request, deed)
            check_words(reason)
            check_decider(request, by, self.requests.role(request.tenant_id, by, now), now, late, is_approval=is_approval)
            after: dict[str, Any] = {"state": after_state, "decided_by": by, "decided_at": now, "is_late": now >= request.due_at}
            if not is_approval:
                after["closed_at"] = now
            words = reason if late is None else f"{reason}\nlate: {late}"
            made = self.requests.change(request, after, words)
        self.audit.append(request.tenant_id, by, f"privacy.{after_state}", request.request_id, {"is_late": made.is_late})
        return made

    def find(self, request_id: str) -> Request:
        """A request by its id, which may be shortened.

        Raises:
            PrivacyError: none, or several.
        """
        known = self.requests.ids()
        if request_id in known:
            return self.requests.find(request_id)
        meant = [each for each in known if each.startswith(request_id)] if len(request_id.partition("_")[2]) >= _LEAST else []
        if len(meant) > 1:
            raise PrivacyError("ambiguous_request", f"{request_id!r} may be {len(meant)} of them: {', '.join(sorted(meant)[:5])}")
        return self.requests.find(meant[0] if meant else request_id)

    def status(self, tenant_id: str | None, *, is_all: bool) -> list[dict[str, Any]]:
        """Requests with their clock; without `is_all` those that are open."""
        now = self.clock.now()
        return [self.row(each, now) for each in self.requests.all(tenant_id) if is_all or each.closed_at is None]

    def row(self, request: Request, now: datetime) -> dict[str, Any]:
        """One request for people, with the journal of its steps."""
        journal = self.requests.steps(request.request_id)
        left = [step for step, each in journal.items() if each["done_at"] is None]
        return {
            "request_id": request.request_id,
            "tenant_id": request.tenant_id,
            "kind": request.kind,
            "state": request.state,
            "lead_id": request.lead_id,
            "contact_points": len(request.point_ids),
            "requested_by": request.requested_by,
            "requested_at": request.requested_at.isoformat(),
            "due_at": request.due_at.isoformat(),
            "days_left": None if request.closed_at else days_left(request, now),
            "verified_by": request.verified_by,
            "decided_by": request.decided_by,
            "executed_by": request.executed_by,
            "closed_at": request.closed_at and request.closed_at.isoformat(),
            "steps_done": sum(each["done_at"] is not None for each in journal.values()),
            "stopped_at": left[0] if left else None,
        }

    def certificate(self, request_id: str) -> Certificate:
        """The newest of a request.

        Raises:
            PrivacyError: it has none yet.
        """
        request = self.find(request_id)
        found = self.requests.certificates(request.request_id)
        if not found:
            raise PrivacyError("no_certificate", f"{request.request_id} is {request.state} and has no certificate yet")
        return found[-1]

    def take_feed(self, lake: Lake) -> int:
        """Requests that the operating system's feed told of, each once; a second of a kind while one is open is noted and left."""
        told = lake.arrivals(PrivacyRequest, _BEGINNING, self.clock.now())
        names = ("tenant_id", "event_id", "kind", "contact_point_id", "occurred_at")
        rows = sorted(zip(*(told[name] for name in names), strict=True), key=lambda row: row[4])
        known = {tenant: self.requests.known_events(tenant) for tenant in {row[0] for row in rows}}
        fresh = [row for row in rows if row[1] not in known[row[0]]]
        persons = self.persons() if fresh else None
        count = 0
        for tenant_id, event_id, kind, point_id, asked_at in fresh:
            person = persons.of_point(tenant_id, point_id) if persons else None
            if event_id in known[tenant_id] or person is None or not person.point_ids:
                continue
            known[tenant_id].add(event_id)
            made = new_request(event_id, tenant_id, kind, (person.lead_id, person.point_ids), SUBJECT, asked_at)
            try:
                self.requests.add(made._replace(event_id=event_id))
            except PrivacyError as error:
                if error.code != "second_request":
                    raise
                continue
            self.audit.append(tenant_id, SUBJECT, "privacy.requested", made.request_id, {"kind": kind, "lead_id": made.lead_id})
            count += 1
        return count

    def approved(self) -> list[str]:
        """Erasures that wait to be executed."""
        return [each.request_id for each in self.requests.all(states=["approved"]) if each.kind == "erasure"]

    def warn(self, outbox: Outbox) -> int:
        """Put in the outbox what the clock has to say by now; returns how much of it was new."""
        now = self.clock.now()
        return outbox.add(warnings([each for each in self.requests.all() if each.closed_at is None], now), now)

    def persons(self) -> Persons:
        """Who is who, as of the last run."""
        return Persons.read(self.settings.reference, self.vault)

    def _check_open(self, person: Person, kind: Kind) -> None:
        for each in self.requests.all(person.tenant_id):
            if (
                each.closed_at is None
                and each.kind == kind
                and (each.lead_id == person.lead_id or set(each.point_ids) & set(person.point_ids))
            ):
                raise PrivacyError(
                    "second_request", f"{each.request_id} asks for the same of the same person and is {each.state}: go on with it"
                )

    def _region(self, tenant_id: str) -> str:
        return next((each.default_region for each in read_rows(self.state, Tenant) if each.tenant_id == tenant_id), "IN")

    @contextmanager
    def _audited(self, tenant_id: str, by: str, deed: str, subject: str, **details: Any) -> Iterator[None]:
        """What is refused is in the log too, by its code: the words may name what was given."""
        try:
            yield
        except PrivacyError as error:
            known = tenant_id if tenant_id in self.requests.tenants() else ""
            actor = by if self.requests.role(tenant_id, by, self.clock.now()) is not None or ":" in by else "unknown"
            self.audit.append(
                known, actor, "privacy.refused", subject if known else "installation", {"deed": deed, "code": error.code, **details}
            )
            raise


def check_words(reason: str) -> None:
    """Whether a reason may be kept.

    Raises:
        PrivacyError: it is empty, or too long.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise PrivacyError("no_reason", f"it needs a reason of 1 to {LONGEST_REASON:,} characters (--reason)")
