"""The steps of an erasure, in their order, with a journal: finished or resumed, never half.

Here belongs that order. Each step is noted when it begins and when it is done, under the fence of its run; a run that dies leaves the step
begun, and the next run makes it again. Several requests go through a step together: the stores are read once. Not here: whether the
requests may run (`orchestration.privacy_run`), verification.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from core.ports import Clock
from core.privacy import Request
from orchestration.backup.erasures import keep_log
from orchestration.erasure import bury, files, lake, segments, tables, warehouse
from orchestration.erasure.places import Place, note
from orchestration.erasure.subjects import Subject, SubjectKeys, collect, finder, merged
from orchestration.erasure.words import Finder
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.persons import Person
from orchestration.resources.privacy import PostgresRequests
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

STEPS = ("collect", "stop", "outbox", "quarantine", "inbox", "fragments", "texts", "files", "vault", "bury")
"""In this order: who is meant, while the vault can tell; then every store; the keys; last, what the database keeps of what is gone."""

Watch = Callable[[str, str], None]
"""Told of each step as it is `begun`, `made` and `done`."""


class Stores(NamedTuple):
    """Every store that a step touches."""

    settings: Settings
    state: State
    clock: Clock
    vault: Vault
    inbox: FolderInbox
    lake: FolderLake
    requests: PostgresRequests
    keys: SubjectKeys
    warehouse_url: str | None = None
    """libpq address of a warehouse that has a database of its own."""


class Job(NamedTuple):
    """Requests that go through a step together."""

    requests: Sequence[Request]
    subjects: Sequence[Subject]
    finder: Finder

    @property
    def tenants(self) -> list[str]:
        """Of these people."""
        return sorted({each.tenant_id for each in self.subjects})

    @property
    def owner(self) -> tuple[str, str]:
        """Tenant and request to which a log entry is put down that several share."""
        return self.requests[0].tenant_id, self.requests[0].request_id


def erase(
    stores: Stores, people: Mapping[str, tuple[Request, Person | None]], watch: Watch, names: Mapping[str, Collection[str]] | None = None
) -> dict[str, Subject]:
    """Make every step that is not yet made of these requests, all in state running; returns whom they meant.

    Args:
        stores: the installation; the caller holds its run lock.
        people: request and person by request id; None where it was collected before and need not be again.
        watch: told of each step.
        names: by request id, what else somebody is called, for those whose verification found something.

    Raises:
        PrivacyError: another run took over, or a step cannot be made.
    """
    subjects = _collected(stores, people, watch, names or {})
    search = finder(subjects.values())
    for step in STEPS[1:]:
        made = stores.requests.journals(list(people))
        open_ = [request for request, _ in people.values() if not made[request.request_id].get(step, {}).get("done_at")]
        if not open_:
            continue
        mine = [subjects[each.request_id] for each in open_]
        job = Job(open_, mine, search if len(open_) == len(people) else finder(mine))
        stores.requests.begin_step(open_, step, stores.clock.now())
        watch(step, "begun")
        found = _MAKE[step](stores, job)
        watch(step, "made")
        stores.requests.end_step(open_, step, stores.clock.now(), {each.request_id: found for each in open_})
        watch(step, "done")
    return subjects


def _collected(
    stores: Stores, people: Mapping[str, tuple[Request, Person | None]], watch: Watch, names: Mapping[str, Collection[str]]
) -> dict[str, Subject]:
    sealed = {each: stores.requests.subject(each) for each in people}
    found = {key: stores.keys.open(key, value) for key, value in sealed.items() if value is not None}
    fresh = {key: (request, person) for key, (request, person) in people.items() if person is not None}
    if fresh:
        requests = [request for request, _ in fresh.values()]
        stores.requests.begin_step(requests, "collect", stores.clock.now())
        watch("collect", "begun")
        made = collect(fresh, stores.state, stores.vault, stores.lake, stores.clock.now())
        made |= {key: merged(found[key], each, names.get(key, ())) for key, each in made.items() if key in found}
        locked = {key: stores.keys.seal(subject) for key, subject in made.items()}
        watch("collect", "made")
        told = {key: {"points": len(each.points), "handed_on": len(each.handed_on), "names": len(each.names)} for key, each in made.items()}
        stores.requests.end_step(requests, "collect", stores.clock.now(), told, locked)
        watch("collect", "done")
        found |= made
    return found


def _stop(stores: Stores, job: Job) -> dict[str, Any]:
    return {"actions_stopped": tables.stop(stores.state, job.subjects)}


def _outbox(stores: Stores, job: Job) -> dict[str, Any]:
    return {"payloads_cleared": tables.clear_outbox(stores.state, job.subjects)}


def _quarantine(stores: Stores, job: Job) -> dict[str, Any]:
    return {"bodies_removed": tables.clear_quarantine(stores.state, stores.vault, job.tenants, job.finder, job.owner, stores.clock.now())}


def _inbox(stores: Stores, job: Job) -> dict[str, Any]:
    folders = [stores.inbox.done, stores.inbox.held]
    done = segments.rewrite(folders, job.finder, job.owner, stores.state)
    return {f"segments_{name}": value for name, value in done._asdict().items()}


def _fragments(stores: Stores, job: Job) -> dict[str, Any]:
    keys = {tenant: stores.vault.tenant_key(tenant, "fragment") for tenant in job.tenants}
    stores.lake.files.sweep()  # what a merge replaced is still a file
    with stores.lake.files.alone():
        handed_on = sum(lake.wipe_handed_on(stores.lake.files, each.tenant_id, dict(each.handed_on)) for each in job.subjects)
        wiped = lake.wipe_unnamed(stores.lake.files, keys, job.finder, partial(_noted, stores, job.owner))
    found: dict[str, Any] = {"rows_wiped": wiped, "rows_wiped_of_numbers_handed_on": handed_on}
    if stores.warehouse_url is not None:
        until = {(each.tenant_id, point_id): end for each in job.subjects for point_id, end in each.handed_on}
        found["copies_changed"] = warehouse.empty(stores.warehouse_url, keys, job.finder, until)
    return found


def _noted(stores: Stores, owner: tuple[str, str], gone: Sequence[Place]) -> None:
    with stores.state.psycopg() as connection:
        note(connection, owner, gone)


def _texts(stores: Stores, job: Job) -> dict[str, Any]:
    return {"tables_changed": tables.sweep_texts(stores.state, job.finder)}


def _files(stores: Stores, job: Job) -> dict[str, Any]:
    return {"files_changed": files.sweep_files(stores.settings.home, job.finder)}


def _vault(stores: Stores, job: Job) -> dict[str, Any]:
    fences = [(each.request_id, each.fence) for each in job.requests]
    gone = tables.destroy_keys(stores.state, job.subjects, fences, stores.clock.now())
    keep_log(stores.state, stores.settings)  # outside the database too, or a restore could not know
    return {"keys_destroyed": gone}


def _bury(stores: Stores, job: Job) -> dict[str, Any]:
    journals = list(stores.requests.journals([each.request_id for each in job.requests]).values())
    changed: set[str] = {"vault.points"}
    for step, fact, names in _CHANGES:
        if any(each.get(step, {}).get("details", {}).get(fact) for each in journals):
            changed |= set(names)
    if any(each.fence > 1 for each in job.requests):  # a run that died may have removed what this one no longer finds
        changed |= {name for _, _, names in _CHANGES for name in names} | set(tables.swept(stores.state))
    copies: set[str] = set()
    for each in journals:
        changed |= set(each.get("texts", {}).get("details", {}).get("tables_changed", ()))
        copies |= set(each.get("fragments", {}).get("details", {}).get("copies_changed", ()))
    if stores.warehouse_url is not None:
        if any(each.fence > 1 for each in job.requests):
            copies = set(warehouse.copies(stores.warehouse_url))
        if copies:  # first: the log is the whole server's
            bury.bury(stores.warehouse_url, copies)
    return bury.bury(stores.state.libpq_url, changed) | {"copies": sorted(copies)}


_CHANGES: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("stop", "actions_stopped", ("ops.outbox",)),
    ("outbox", "payloads_cleared", ("ops.outbox", "ops.delivery_attempts")),
    ("quarantine", "bodies_removed", ("ops.quarantine",)),
    ("inbox", "segments_changed", ("ops.segments", "ops.held_segments")),
)
_MAKE: dict[str, Callable[[Stores, Job], dict[str, Any]]] = {
    "stop": _stop, "outbox": _outbox, "quarantine": _quarantine, "inbox": _inbox, "fragments": _fragments, "texts": _texts,
    "files": _files, "vault": _vault, "bury": _bury,
}  # fmt: skip
