"""The erasures of the log made again in a restored home, by the eraser's own steps, before anything of it can be asked.

Here belongs their order in a restore: the vault of the backup still knows who is meant, so every store is gone through before its keys go.
Not here: the steps (`orchestration.erasure`), the log (`orchestration.backup.erasures`).
"""

from collections.abc import Collection
from itertools import groupby

from psycopg.errors import UniqueViolation

from core.privacy import PrivacyError, Request, new_request
from orchestration.backup.erasures import Erased
from orchestration.collector.segments import SegmentWriter
from orchestration.erasure import bury, files, lake, segments, tables
from orchestration.erasure.subjects import Subject, collect, finder
from orchestration.resources.clock import SystemClock
from orchestration.resources.lake import FolderLake
from orchestration.resources.persons import Person, Persons
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

BY = "system:restore"
_CHANGED = ("vault.points", "ops.outbox", "ops.delivery_attempts", "ops.quarantine", "ops.segments", "ops.held_segments")


def forget(settings: Settings, state: State, vault: Vault, erased: Collection[Erased]) -> int:
    """Erase again everybody in the log; returns how many contact points the backup still knew.

    A request that the backup does not know is entered as requested: people see it, and a verified run of it gives its certificate again.
    """
    now = SystemClock().now()
    subjects: list[Subject] = []
    folder = FolderLake(settings.lake)
    folder.prepare()
    known = _persons(settings, vault)
    for (tenant_id, lead_id, _), group in groupby(sorted(erased, key=_whose), key=_whose):
        listed = list(group)
        points = tuple(sorted({each.point_id for each in listed}))
        request = _entered(state, listed[0], points)
        person = _person(known, tenant_id, lead_id, points)
        subjects += collect({request.request_id: (request, person)}, state, vault, folder, now).values()
        with state.psycopg() as connection:
            connection.cursor().executemany(
                "insert into ops.erasures (tenant_id, point_id, lead_id, request_id, erased_at) values (%s, %s, %s, %s, %s) "
                "on conflict do nothing",
                [(tenant_id, each.point_id, lead_id, request.request_id, each.erased_at) for each in listed],
            )
    told = [each for each in subjects if each.points]
    if told:
        _wipe(settings, state, vault, folder, told)
    with state.psycopg() as connection:
        gone = tables.forget_points(connection, [(each.tenant_id, [each.point_id]) for each in erased])
    if told:
        bury.bury(state.libpq_url, _CHANGED)
    return gone


def _wipe(settings: Settings, state: State, vault: Vault, folder: FolderLake, subjects: list[Subject]) -> None:
    """Every store, as an erasure does it; and what waits in the inbox, which was never taken in here."""
    search, first = finder(subjects), (subjects[0].tenant_id, subjects[0].request_id)
    tenants = sorted({each.tenant_id for each in subjects})
    tables.stop(state, subjects)
    tables.clear_outbox(state, subjects)
    tables.clear_quarantine(state, vault, tenants, search, SystemClock().now())
    SegmentWriter(settings.inbox, SystemClock()).finish_those_of_the_dead()
    segments.rewrite([settings.inbox, settings.inbox / "done", settings.inbox / "held"], search, first, state)
    keys = {tenant: vault.tenant_key(tenant, "fragment") for tenant in tenants}
    with folder.files.alone():
        for each in subjects:
            lake.wipe_handed_on(folder.files, each.tenant_id, dict(each.handed_on))
        lake.wipe_unnamed(folder.files, keys, search)
    tables.sweep_texts(state, search)
    files.sweep_files(settings.home, search)


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
