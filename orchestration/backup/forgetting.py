"""The erasures of the log made again in a restored home, by the eraser's own steps, before anything of it can be asked.

Here belongs their order in a restore: what surrogates find; what the log says was taken out where; and, where the vault of the backup
still knows who is meant, every store, before its keys go.
Not here: the steps (`orchestration.erasure`), the log (`orchestration.backup.erasures`).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
from psycopg.errors import UniqueViolation

from core.privacy import PrivacyError, Request, new_request
from orchestration.backup.erasures import Emptied, Erased, Log
from orchestration.collector.segments import SegmentWriter
from orchestration.erasure import bury, files, lake, segments, tables
from orchestration.erasure.places import Place, note
from orchestration.erasure.subjects import Subject, collect, finder
from orchestration.resources.clock import SystemClock
from orchestration.resources.lake import FolderLake
from orchestration.resources.persons import Person, Persons
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

BY = "system:restore"
_CHANGED = ("vault.points", "ops.outbox", "ops.delivery_attempts", "ops.quarantine", "ops.segments", "ops.held_segments")


def forget(settings: Settings, state: State, vault: Vault, log: Log) -> int:
    """Erase again everybody in the log, and take out again what was taken out; returns how many contact points the backup still knew.

    A request that the backup does not know is entered as requested: people see it, and a verified run of it gives its certificate again.
    """
    now = SystemClock().now()
    folder = FolderLake(settings.lake)
    folder.prepare()
    known = _persons(settings, vault)
    people: dict[str, tuple[Request, Person]] = {}
    for (tenant_id, lead_id, request_id), group in groupby(sorted(log.people, key=_whose), key=_whose):
        listed = list(group)
        points = tuple(sorted({each.point_id for each in listed}))
        request = _entered(state, listed[0], points)
        people[request_id] = (request, _person(known, tenant_id, lead_id, points))
        with state.psycopg() as connection:
            connection.cursor().executemany(
                "insert into ops.erasures (tenant_id, point_id, lead_id, request_id, erased_at) values (%s, %s, %s, %s, %s) "
                "on conflict do nothing",
                [(tenant_id, each.point_id, lead_id, request.request_id, each.erased_at) for each in listed],
            )
    if not people:
        return 0
    SegmentWriter(settings.inbox, SystemClock()).finish_those_of_the_dead()
    subjects = collect(people, state, vault, folder, now)
    changed = _by_ids(state, folder, [_with_all(each, people[key][1]) for key, each in subjects.items()])
    owners = {key: (request.tenant_id, request.request_id) for key, (request, _) in people.items()}
    changed += _by_places(settings, state, folder, log.places, owners)
    told = [each for each in subjects.values() if each.points]
    if told:
        _by_values(settings, state, vault, folder, told, owners[told[0].request_id])
    with state.psycopg() as connection:
        gone = tables.forget_points(connection, [(each.tenant_id, [each.point_id]) for each in log.people])
    if told or changed or gone:
        bury.bury(state.libpq_url, _CHANGED)
    return gone


def _with_all(subject: Subject, person: Person) -> Subject:
    """With points of which the vault knows no number any more: newer keys lack them."""
    known = set(subject.point_ids)
    more = tuple((each, "", "") for each in person.point_ids if each not in known)
    return msgspec.structs.replace(subject, points=(*subject.points, *more))


def _by_ids(state: State, folder: FolderLake, subjects: Sequence[Subject]) -> int:
    """What a surrogate finds."""
    changed = tables.stop(state, subjects) + tables.clear_outbox(state, subjects)
    with folder.files.alone():
        return changed + sum(lake.wipe_handed_on(folder.files, each.tenant_id, dict(each.handed_on)) for each in subjects)


def _by_places(
    settings: Settings, state: State, folder: FolderLake, places: Collection[Emptied], owners: Mapping[str, tuple[str, str]]
) -> int:
    """What the log itself names."""
    changed = 0
    for owner, group in groupby(
        sorted(places, key=lambda each: owners.get(each.request_id, ("", ""))), lambda each: owners.get(each.request_id)
    ):
        if owner is None:  # of a request that nobody was erased for
            continue
        listed = list(group)
        lines: dict[str, set[int]] = defaultdict(set)
        for each in listed:
            for key in (each.thing, each.name) if each.store == "inbox" else ():
                lines[key].update(map(int, each.places))
        changed += segments.strip(_folders(settings), lines, owner, state)
        entries = [each.thing for each in listed if each.store == "quarantine"]
        changed += tables.expire(state, entries, owner, SystemClock().now())
        with folder.files.alone():
            for each in listed:
                if each.store == "lake":
                    changed += lake.wipe_events(folder.files, each.thing, each.places)
    return changed


def _by_values(
    settings: Settings, state: State, vault: Vault, folder: FolderLake, subjects: Sequence[Subject], owner: tuple[str, str]
) -> None:
    """Every store, as an erasure goes through it; and what waits in the inbox, which was never taken in here."""
    search = finder(subjects)
    tenants = sorted({each.tenant_id for each in subjects})
    tables.clear_quarantine(state, vault, tenants, search, owner, SystemClock().now())
    segments.rewrite(_folders(settings), search, owner, state)
    keys = {tenant: vault.tenant_key(tenant, "fragment") for tenant in tenants}

    def noted(gone: Sequence[Place]) -> None:
        with state.psycopg() as connection:
            note(connection, owner, gone)

    with folder.files.alone():
        lake.wipe_unnamed(folder.files, keys, search, noted)
    tables.sweep_texts(state, search)
    files.sweep_files(settings.home, search)


def _folders(settings: Settings) -> list[Path]:
    return [settings.inbox, settings.inbox / "done", settings.inbox / "held"]


def _whose(each: Erased) -> tuple[str, str, str]:
    return each.tenant_id, each.lead_id, each.request_id


def _persons(settings: Settings, vault: Vault) -> Persons | None:
    try:
        return Persons.read(settings.reference, vault)
    except PrivacyError:  # nothing was ever run in it
        return None


def _person(known: Persons | None, tenant_id: str, lead_id: str, points: tuple[str, ...]) -> Person:
    """By the log, with what the backup knows of numbers that were handed on."""
    try:
        handed_on = known.lead(tenant_id, lead_id).handed_on if known is not None else ()
    except PrivacyError:
        handed_on = ()
    return Person(tenant_id, lead_id, points, handed_on)


def _entered(state: State, each: Erased, points: tuple[str, ...]) -> Request:
    """The request of the log as the restored database has it; entered where it has none."""
    made = new_request(each.request_id, each.tenant_id, "erasure", (each.lead_id, points), BY, each.erased_at)
    made = made._replace(request_id=each.request_id)
    insert = (
        "insert into ops.privacy_requests (request_id, tenant_id, kind, origin, lead_id, point_ids, requested_by, requested_at, due_at) "
        "values (%s, %s, 'erasure', 'command', %s, %s, %s, %s, %s) on conflict (request_id) do nothing"
    )
    values = (made.request_id, made.tenant_id, made.lead_id, list(points), BY, made.requested_at, made.due_at)
    try:
        with state.psycopg() as connection:
            connection.execute(insert, values)
    except UniqueViolation:  # another request of his is open in the backup: it stands for this one
        with state.psycopg() as connection:
            select = "select request_id from ops.privacy_requests where tenant_id = %s and lead_id = %s and kind = 'erasure'"
            row = connection.execute(f"{select} and closed_at is null", (each.tenant_id, each.lead_id)).fetchone()
        if row is not None:
            return made._replace(request_id=str(row[0]))
    return made
