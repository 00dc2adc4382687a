"""Executing requests: the eraser makes its steps, the verifier looks, a certificate says what it saw, and only a clean one closes.

Here belongs the one place that knows both. What waits in the inbox is taken in first, so that what a person said before its erasure is
known as its; what comes later is of somebody new. Not here: who may ask for it (`privacy_office`), steps (`erasure`), search (`verifier`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from assets.leads import resolve_leads
from assets.pending import take_in_all
from core.ports import Ledger, Progress, Workers
from core.privacy import PrivacyError, Request, check_executor, check_person, moved
from core.warehouse_ports import Warehouse
from orchestration.erasure.run import Stores, Watch, erase
from orchestration.erasure.subjects import Subject
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.clients import alone
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.persons import Person, Persons, Stretch
from orchestration.resources.privacy import Certificate
from orchestration.resources.retention import Hold
from orchestration.resources.vault import PLATFORM

if TYPE_CHECKING:
    from orchestration.verifier.claims import Claim
    from orchestration.verifier.needles import Sought


@dataclass(frozen=True)
class Ran:
    """What became of one request; of a refusal `code` and `message` say why."""

    request_id: str
    tenant_id: str
    state: str
    hits: int = 0
    places: Sequence[Mapping[str, Any]] = ()
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Execution:
    """One installation's means of executing."""

    stores: Stores
    ledger: Ledger
    workers: Workers
    identity: PostgresIdentity
    audit: PostgresAudit
    progress: Progress
    databases: Mapping[str, str]
    """libpq addresses of every database that may hold something, by the name under which a place is told."""
    warehouse: Warehouse
    holds: Sequence[Hold] = ()
    """Legal holds in force: whoever is under one is not erased."""
    watch: Watch = field(default=lambda _step, _moment: None)

    def run(self, request_ids: Iterable[str], by: str) -> list[Ran]:
        """Execute erasures together; each is closed, left open with the places of what was found, or refused."""
        stores = self.stores
        with alone(stores.settings.home):
            is_news = self._take_in()
            self._forget_closed()
            done: list[Ran] = []
            begun: dict[str, tuple[Request, Person | None]] = {}
            wanted = [stores.requests.find(each) for each in dict.fromkeys(request_ids)]
            persons = self._persons({each.lead_id for each in wanted}, is_news=is_news)
            journals = stores.requests.journals([each.request_id for each in wanted])
            for request in wanted:
                try:
                    begun[request.request_id] = self._begin(request, by, persons, journals[request.request_id])
                except PrivacyError as error:
                    self._tell([(request, "refused", {"deed": "run", "code": error.code})], by)
                    done.append(Ran(request.request_id, request.tenant_id, request.state, code=error.code, message=str(error)))
            if not begun:
                return done
            running = [request for request, _ in begun.values()]
            self._tell([(request, "started", {"fence": request.fence}) for request in running], by)
            with self._told_if_broken_off(running, by):
                seen = self._witnessed(running)
                names = {key: [value for kind, value in each.values if kind == "name"] for key, each in seen.items()}
                subjects = erase(stores, begun, self.watch, names)
                checked = [stores.requests.change(request, {"state": "verifying"}) for request in running]
                self.watch("verify", "begun")
                return done + self._verified(checked, subjects, seen, by)

    @contextmanager
    def _told_if_broken_off(self, requests: Sequence[Request], by: str) -> Iterator[None]:
        """A full disk, say: the requests stay open, the next run goes on. The log names the kind of error alone: words may name people."""
        try:
            yield
        except Exception as error:
            with suppress(Exception):  # where even that cannot be written, the first error is the one to be told
                self._tell([(each, "broken_off", {"error": type(error).__name__}) for each in requests], by)
            raise

    def _forget_closed(self) -> None:
        """A process that died right after the end left the key of its search."""
        for request in self.stores.requests.all(states=["closed"], ids=self.stores.keys.kept()):
            self.stores.keys.forget(request.request_id)

    def _take_in(self) -> bool:
        """Whatever waits; whether there was anything."""
        stores = self.stores
        stores.lake.prepare()
        if not stores.inbox.names():
            return False
        taken, _ = take_in_all(stores.inbox, stores.lake, self.ledger, stores.vault, self.progress, self.workers)
        return bool(taken)

    def _persons(self, leads: Collection[str], *, is_news: bool) -> Persons:
        """Who is who now: these leads as the last run saw them, unless something came or was decided since."""
        stores = self.stores
        if not is_news and not self._is_decided_since():
            return Persons.read(stores.settings.reference, stores.vault, leads)
        found = resolve_leads(stores.lake, stores.vault, self.identity, stores.clock.now())
        rows = (Stretch(each.tenant_id, each.point_id, each.lead_id, each.valid_from, each.valid_to) for each in found.points)
        return Persons(rows, ((each.tenant_id, each.alias_id, each.lead_id) for each in found.aliases), stores.vault)

    def _is_decided_since(self) -> bool:
        with self.stores.state.psycopg() as connection:
            row = connection.execute(
                "select exists (select from ops.identity_decisions where recorded_at > "
                "coalesce((select max(published_at) from ops.publications), '-infinity'))"
            ).fetchone()
        return row == (True,)

    def _begin(
        self, request: Request, by: str, persons: Persons, journal: Mapping[str, Mapping[str, Any]]
    ) -> tuple[Request, Person | None]:
        """In state running under a fence of its own."""
        requests, now = self.stores.requests, self.stores.clock.now()
        if request.kind != "erasure":
            raise PrivacyError("other_kind", f"{request.request_id} asks for {request.kind}: flexoraa gdpr export answers access")
        moved(request, "run")
        check_executor(request, by, requests.role(request.tenant_id, by, now))
        held = self._held(request)
        if held:
            raise PrivacyError(
                "legal_hold", f"{request.request_id} is under the legal hold {held}: release it first (flexoraa retention release)"
            )
        person = None
        last = requests.certificates(request.request_id)[-1:] if journal else []
        is_found = bool(last and last[0].hits)
        if is_found:
            person = persons.approved(request)  # not all of it may have been meant before
        elif not journal.get("collect", {}).get("done_at"):
            person = persons.lead(request.tenant_id, request.lead_id)
            check_person(request, person.point_ids)
        changes: dict[str, Any] = {"state": "running", "fence": request.fence + 1, "executed_by": by}
        is_gone = bool(journal.get("vault", {}).get("done_at"))
        if not is_gone or request.started_at is None:
            changes["started_at"] = now
        if journal and (not is_gone or is_found):  # what was taken in since, or was found, is looked for again
            requests.reopen_steps(request, ["collect"])
        return requests.change(request, changes), person

    def _held(self, request: Request) -> str:
        """The legal hold that it is under, if any."""
        mine = (each for each in self.holds if each.tenant_id == request.tenant_id and each.lead_id in {None, request.lead_id})
        return next((each.hold_id for each in mine), "")

    def _witnessed(self, requests: Sequence[Request]) -> "dict[str, Sought]":
        """What the verifier sees of each before anything is erased; of one that was begun before, what it saw then."""
        from orchestration.verifier.needles import Sought  # here: 0.3 s of frame libraries that a refusal does not need
        from orchestration.verifier.witness import look

        stores = self.stores
        kept = stores.requests.witnesses([each.request_id for each in requests])
        found = {key: msgspec.json.decode(stores.keys.unlock(key, "witness", value), type=Sought) for key, value in kept.items()}
        fresh = [each for each in requests if each.request_id not in found]
        if fresh:
            settings = stores.settings
            made = look(stores.state.libpq_url, settings.lake, settings.master_key(), _claims(fresh))
            locked = {key: stores.keys.lock(key, "witness", msgspec.json.encode(value)) for key, value in made.items()}
            stores.requests.keep_witnesses(fresh, locked)
            found |= made
        return found

    def _verified(self, requests: Sequence[Request], subjects: Mapping[str, Subject], seen: "Mapping[str, Sought]", by: str) -> list[Ran]:
        from orchestration.verifier.certificate import certificate, sign  # here: as above
        from orchestration.verifier.verify import Target, verify

        stores = self.stores
        since = min((each.started_at for each in requests if each.started_at is not None), default=None)
        sought = [_both(seen[each.request_id], subjects[each.request_id]) for each in requests]
        tenants = {PLATFORM, *(each.tenant_id for each in requests)}
        target = Target(
            home=stores.settings.home,
            urls=dict(self.databases),
            is_server_local=stores.settings.database_url is None,
            keys={tenant: stores.vault.tenant_key(tenant, "fragment") for tenant in tenants},
            since=since,
        )
        report = verify(target, sought, _claims(requests))
        seed = stores.vault.tenant_key(PLATFORM, "certificates")
        done: list[Ran] = []
        told: list[tuple[Request, str, Mapping[str, Any]]] = []
        journals = stores.requests.journals([each.request_id for each in requests])
        for request in requests:
            own = report.of(request.request_id)
            facts = self._facts(request, subjects[request.request_id], journals[request.request_id])
            body = certificate(request.request_id, facts, report)
            hits = sum(own.values())
            now = stores.clock.now()
            made = Certificate(request.request_id, request.tenant_id, request.fence, hits, now, body, *sign(body, seed))
            stores.requests.certify(made)
            places = [{"place": hit.place, "form": hit.form, "count": count} for hit, count in sorted(own.items())]
            self.watch("verify", "made")
            state = "verifying"
            if not hits:
                closed = stores.requests.change(request, {"state": "closed", "closed_at": now, "subject_enc": None, "witness_enc": None})
                stores.keys.forget(request.request_id)
                state = closed.state
            told.append((request, "closed" if not hits else "found", {"hits": hits, "fence": request.fence}))
            self.watch("verify", "done")
            done.append(Ran(request.request_id, request.tenant_id, state, hits, places))
        self._tell(told, by)
        return done

    def _facts(self, request: Request, subject: Subject, journal: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "tenant_id": request.tenant_id,
            "kind": request.kind,
            "lead_id": subject.lead_id,
            "contact_points": subject.point_ids,
            "requested_at": request.requested_at,
            "approved_at": request.decided_at,
            "started_at": request.started_at,
            "verified_at": self.stores.clock.now(),
            "fence": request.fence,
            "values_searched": len(subject.points) + len(subject.names),
            "steps": {name: {"done_at": each["done_at"], **each["details"]} for name, each in journal.items()},
        }

    def _tell(self, told: Sequence[tuple[Request, str, Mapping[str, Any]]], by: str) -> None:
        """What happened to requests, in the audit log; of many in one transaction."""
        with self.stores.state.psycopg() as connection:
            audit = self.audit.within(connection)
            for request, what, details in told:
                audit.append(request.tenant_id, by, f"erasure.{what}", request.request_id, dict(details))


def _claims(requests: Sequence[Request]) -> "list[Claim]":
    from orchestration.verifier.claims import Claim  # here: as above

    return [Claim(each.request_id, each.tenant_id, each.lead_id, each.point_ids) for each in requests]


def _both(seen: "Sought", subject: Subject) -> "Sought":
    """What the verifier saw itself and what the eraser meant: whatever one of them overlooked is searched for too."""
    meant = [(kind, value) for _, kind, value in subject.points] + [("name", name) for name in subject.names]
    return seen._replace(values=tuple(dict.fromkeys((*seen.values, *meant))), traces=tuple(dict.fromkeys((*seen.traces, *subject.traces))))
