"""Whom a request means, in plain: brought together before the keys go, sealed in between, forgotten at the end.

Here belongs what is looked for, and where it is kept while a request runs: in the request's row, under a key that lies in a file of its own
and goes with the request. Not here: the search.
"""

import os
import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from core.identity_ports import SealedName
from core.privacy import PrivacyError, Request
from core.sealing import seal, unseal
from orchestration.erasure.words import Finder, forms_of_name, forms_of_point
from orchestration.resources.durable import make_durable
from orchestration.resources.lake import FolderLake
from orchestration.resources.persons import Person
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

_LEAST_NAME = 8
_SEALING = 28  # bytes that sealing adds: nonce and tag


class Subject(Struct, frozen=True):
    """One person. `points` are (id, kind, value), `handed_on` (id, until), `names` those that nobody else of the tenant bears.

    `traces` are what the vault held of it, as hex: lookups, wrapped keys, sealed values.
    """

    request_id: str
    tenant_id: str
    lead_id: str
    points: tuple[tuple[str, str, str], ...]
    handed_on: tuple[tuple[str, datetime], ...]
    names: tuple[str, ...]
    traces: tuple[str, ...]

    @property
    def point_ids(self) -> list[str]:
        """Surrogates of its contact points."""
        return [each[0] for each in self.points]


def finder(subjects: Iterable[Subject]) -> Finder:
    """A search for all of them."""
    forms: set[str] = set()
    for each in subjects:
        for _, kind, value in each.points:
            forms |= forms_of_point(kind, value)
        for name in each.names:
            forms |= forms_of_name(name)
    return Finder(forms)


def merged(before: Subject, now: Subject, names: Collection[str]) -> Subject:
    """What was known once, what is known now, and names that somebody else found."""
    return Subject(
        before.request_id,
        before.tenant_id,
        before.lead_id,
        tuple(sorted({*before.points, *now.points})),
        tuple(sorted(dict((*now.handed_on, *before.handed_on)).items())),
        tuple(sorted({*before.names, *now.names, *names})),
        tuple(sorted({*before.traces, *now.traces})),
    )


def collect(
    requests: Mapping[str, tuple[Request, Person]], state: State, vault: Vault, lake: FolderLake, as_of: datetime
) -> dict[str, Subject]:
    """What is known of each by now; a point that was erased before has no value and is left out."""
    names = _names(requests, vault, lake, as_of)
    wanted: dict[str, set[str]] = {}
    for _, person in requests.values():
        wanted.setdefault(person.tenant_id, set()).update(person.point_ids)
    revealed = {tenant: vault.reveal(tenant, points) for tenant, points in wanted.items()}
    traces = _traces(state, wanted)
    found = {}
    for request_id, (request, person) in requests.items():
        known = revealed[person.tenant_id]
        points = tuple((each, known[each].kind, known[each].value) for each in sorted(person.point_ids) if each in known)
        left = tuple(trace for each in person.point_ids for trace in traces.get(each, ()))
        own = tuple(names.get(request_id, ()))
        found[request_id] = Subject(request_id, request.tenant_id, person.lead_id, points, person.handed_on, own, left)
    return found


def _traces(state: State, wanted: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    """What the vault holds of each point, as hex; `wanted` by tenant."""
    select = (
        "select point_id, encode(lookup, 'hex'), encode(key_wrapped, 'hex'), encode(value_enc, 'hex') from vault.points "
        "where tenant_id = %s and point_id = any(%s) and key_wrapped is not null"
    )
    with state.psycopg() as connection:
        rows = [row for tenant, points in wanted.items() for row in connection.execute(select, (tenant, list(points)))]
    return {point_id: (lookup, key, value) for point_id, lookup, key, value in rows}


def _names(requests: Mapping[str, tuple[Request, Person]], vault: Vault, lake: FolderLake, as_of: datetime) -> dict[str, list[str]]:
    """Names by request that are long enough and nobody else's; only sealed ones of the same length are opened."""
    owners = {(person.tenant_id, point): key for key, (_, person) in requests.items() for point in person.point_ids}
    sealed = list(lake.names(as_of))
    mine = [each for each in sealed if (each.tenant_id, each.point_id) in owners]
    lengths = {(each.tenant_id, len(each.name_enc)) for each in mine if len(each.name_enc) >= _LEAST_NAME + _SEALING}
    alike = [each for each in sealed if (each.tenant_id, len(each.name_enc)) in lengths]
    bearers: dict[tuple[str, str], set[str]] = {}
    for each, name in _opened(alike, vault):
        bearers.setdefault((each.tenant_id, name), set()).add(owners.get((each.tenant_id, each.point_id), ""))
    found: dict[str, list[str]] = {}
    for (_, name), who in sorted(bearers.items()):
        if len(who) == 1 and "" not in who and len(name.split()) > 1:
            found.setdefault(who.pop(), []).append(name)
    return found


def _opened(names: Collection[SealedName], vault: Vault) -> Iterable[tuple[SealedName, str]]:
    by_tenant: dict[str, set[str]] = {}
    for each in names:
        by_tenant.setdefault(each.tenant_id, set()).add(each.point_id)
    keys = {tenant: vault.keys(tenant, points) for tenant, points in by_tenant.items()}
    for each in names:
        key = keys[each.tenant_id].get(each.point_id)
        if key is not None:
            yield each, unseal(key, each.name_enc, f"{each.event_id}:name_enc".encode()).decode()


class SubjectKeys:
    """The files that hold requests' keys, each for one request and for its time."""

    def __init__(self, secrets_folder: Path) -> None:
        """`secrets_folder`: that of the installation, mode 0700."""
        self._folder = secrets_folder / "privacy"

    def seal(self, subject: Subject) -> bytes:
        """Whom a request means, sealed."""
        return self.lock(subject.request_id, "", msgspec.json.encode(subject))

    def lock(self, request_id: str, what: str, raw: bytes) -> bytes:
        """Something of a request, sealed under its key, which is on disk before it is used."""
        path = self._path(request_id)
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path.with_suffix(".tmp"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
            make_durable([path.with_suffix(".tmp")])
            path.with_suffix(".tmp").rename(path)
            make_durable([self._folder])
        return seal(path.read_bytes(), raw, f"{request_id}{what}".encode())

    def open(self, request_id: str, sealed: bytes) -> Subject:
        """Whom a request means."""
        return msgspec.json.decode(self.unlock(request_id, "", sealed), type=Subject)

    def unlock(self, request_id: str, what: str, sealed: bytes) -> bytes:
        """What was sealed.

        Raises:
            PrivacyError: the key is gone.
        """
        path = self._path(request_id)
        if not path.exists():
            raise PrivacyError("no_key", f"{path} is gone: it says whom {request_id} looks for; put it back, or the run cannot go on")
        return unseal(path.read_bytes(), sealed, f"{request_id}{what}".encode())

    def forget(self, request_id: str) -> None:
        """The request is over: nobody can tell any more whom it meant."""
        self._path(request_id).unlink(missing_ok=True)

    def kept(self) -> list[str]:
        """Requests that have a key; never an empty list: `none` stands for it."""
        return [path.stem for path in self._folder.glob("pr_*.key")] or ["none"]

    def _path(self, request_id: str) -> Path:
        return self._folder / f"{request_id}.key"
