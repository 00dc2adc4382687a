"""`tenant apply`: a tenants file into the state, whole or not at all.

Here belongs what needs the machine: secrets from the environment and from files, the transaction, the tenants' database roles.
Not here: what the file may say (`core.tenancy*`), reading it back (`reference`, `vault_secrets`).
"""

import hashlib
import hmac
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from core import tenancy_file
from core.reference import DatedRow
from core.tenancy import SecretRef, Tenant
from core.tenancy_checks import Claim, check, claims, overlapping_claims, secret_refs
from core.tenancy_file import Problem, Reading
from core.tenancy_rows import calendars, reference_rows, row_key
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.state import SERVICE_ROLE, State
from orchestration.resources.vault import PLATFORM, Vault
from orchestration.resources.vault_secrets import Destination, PersonContact, PersonRow, SecretRow

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""`valid_from` of rows without a validity of their own."""

_APPLY_LOCK = 5_146_007_022
_Secrets = Mapping[tenancy_file.Path, bytes]


class TenantsFileError(Exception):
    """A tenants file that was refused; nothing of it was taken over. The message has one line for each problem."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        """Problems are sorted by line."""
        self.problems = sorted(problems)
        super().__init__("\n".join(problem.text(path.name) for problem in self.problems))


@dataclass(frozen=True)
class ApplyResult:
    """What changed: tenants that were written and tenants that were the same already, by id, and rows written."""

    applied: tuple[str, ...]
    unchanged: tuple[str, ...]
    rows: int


class _Wanted(NamedTuple):
    tenant: Tenant
    secrets: _Secrets
    digest: str


def apply_file(path: Path, state: State, vault: Vault, at: datetime, env: Mapping[str, str]) -> ApplyResult:
    """Take over a tenants file: its tenants' reference rows, secrets and staff replace what they had; other tenants stay.

    Args:
        path: the YAML; secret files are relative to its folder.
        state: migrated.
        vault: where secrets go.
        at: the moment that is noted as `applied_at`.
        env: where `{env: NAME}` is looked up.

    Raises:
        TenantsFileError: with every problem of the file; nothing was written.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TenantsFileError(path, [Problem(1, "", f"cannot be read: {error}")]) from error
    reading = tenancy_file.read(text)
    for finding in check(reading):
        reading.add(finding.path, finding.reason)
    resolved = {index: _resolve(index, tenant, path.parent, env, reading) for index, tenant in reading.tenants.items()}
    if reading.problems:
        raise TenantsFileError(path, reading.problems)
    wanted = [_Wanted(each, resolved[index], _digest(each, resolved[index], vault)) for index, each in reading.tenants.items()]
    with state.owner() as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (_APPLY_LOCK,))
        for tenant in reading.tenants.values():
            connection.execute("select ops.make_tenant_roles(%s)", (tenant.id,))
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(SERVICE_ROLE)))
        for finding in overlapping_claims([*_claims_of_others(connection, reading), *claims(reading.tenants)]):
            reading.add(finding.path, finding.reason)
        if reading.problems:
            raise TenantsFileError(path, reading.problems)
        known = dict(connection.execute("select tenant_id, config_sha256 from ops.tenants").fetchall())
        changed = [each for each in wanted if known.get(each.tenant.id) != each.digest]
        rows = sum(_write(connection, each, vault, at) for each in changed)
        audit = PostgresAudit(state, vault).within(connection)
        for each in sorted(changed, key=lambda each: each.tenant.id):
            audit.append(each.tenant.id, machine_user(), "tenant.applied", each.tenant.id, {"config_sha256": each.digest})
    applied = tuple(each.tenant.id for each in changed)
    return ApplyResult(applied, tuple(each.tenant.id for each in wanted if each not in changed), rows)


def _resolve(index: int, tenant: Tenant, folder: Path, env: Mapping[str, str], reading: Reading) -> _Secrets:
    """Every secret of a tenant by its place in it; a missing or open one is a problem of the file."""
    found = {}
    for place, reference in secret_refs(tenant):
        value, problem = _secret(reference, folder, env)
        if not problem and place[0] == "destinations":
            problem = _text_problem(value, is_url=place[-1] == "url")
        if problem:
            reading.add(("tenants", index, *place), problem)
        found[place] = value
    return found


def _secret(reference: SecretRef, folder: Path, env: Mapping[str, str]) -> tuple[bytes, str]:
    if reference.env is not None:
        value = env.get(reference.env, "")
        return value.encode(), "" if value else f"the environment variable {reference.env} is not set"
    if reference.file is None:
        return b"", ""  # neither: a finding already
    path = folder / reference.file
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return b"", f"{path} is no file"
        if mode & 0o077:
            return b"", f"{path} may be read by others (mode {stat.S_IMODE(mode):04o}): run chmod 600 {path}"
        secret = path.read_bytes().strip()
    except OSError as error:
        return b"", f"the secret file {path} cannot be read: {error.strerror}"
    return secret, "" if secret else f"the secret file {path} is empty"


def _text_problem(value: bytes, *, is_url: bool) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "the secret is not text in UTF-8"
    is_address = not is_url or text.startswith(("http://", "https://", "mailto:"))
    return "" if is_address else "the secret is no address that begins with http://, https:// or mailto:"


def _digest(tenant: Tenant, secrets: _Secrets, vault: Vault) -> str:
    """A keyed hash of all that the file says of a tenant, secrets included: a plain one would let a weak secret be guessed."""
    content = msgspec.json.encode([tenant, sorted((repr(place), value.hex()) for place, value in secrets.items())])
    return hmac.new(vault.tenant_key(PLATFORM, "config"), content, hashlib.sha256).hexdigest()


def _claims_of_others(connection: Connection, reading: Reading) -> list[Claim]:
    select = """
        select tenant_id, body ->> 'source', body ->> 'account_id', valid_from, valid_to from ops.reference
        where section = 'connections' and tenant_id <> all(%s)
    """
    return [Claim(*row) for row in connection.execute(select, ([each.id for each in reading.tenants.values()],))]


def _write(connection: Connection, wanted: _Wanted, vault: Vault, at: datetime) -> int:
    tenant = wanted.tenant
    rows = []
    for row in reference_rows(tenant):
        valid_from, valid_to = (row.valid_from, row.valid_to) if isinstance(row, DatedRow) else (ALWAYS, None)
        rows.append((tenant.id, row.table, row_key(row), valid_from, valid_to, Jsonb(msgspec.to_builtins(row, order="deterministic"))))
    for version in calendars(tenant):
        body = Jsonb(msgspec.to_builtins(version, order="deterministic"))
        rows.append((tenant.id, "calendars", version.calendar_id, version.valid_from, version.valid_to, body))
    for each in tenant.destinations:
        body = Jsonb({"destination_id": each.id, "kind": each.kind})
        rows.append((tenant.id, "destinations", each.id, each.valid_from, each.valid_to, body))
    for watched in tenant.connections:
        if watched.watch_topic is not None:
            body = Jsonb({"connection_id": watched.id, "topic": watched.watch_topic})
            rows.append((tenant.id, "watches", watched.id, watched.valid_from, watched.valid_to, body))
    for section, key in (("sending", None), ("texts", "name")):
        for part in getattr(tenant, section):
            body = Jsonb(msgspec.to_builtins(part, order="deterministic"))
            rows.append((tenant.id, section, getattr(part, key) if key else "", part.valid_from, part.valid_to, body))
    connection.execute("delete from ops.reference where tenant_id = %s", (tenant.id,))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.reference (tenant_id, section, row_key, valid_from, valid_to, body) values (%s, %s, %s, %s, %s, %s)",
            rows,
        )
    vault.secrets.replace(connection, tenant.id, _secret_rows(tenant, wanted.secrets), _person_rows(tenant))
    connection.execute(
        "insert into ops.tenants (tenant_id, name, applied_at, config_sha256) values (%s, %s, %s, %s) on conflict (tenant_id) "
        "do update set name = excluded.name, applied_at = excluded.applied_at, config_sha256 = excluded.config_sha256",
        (tenant.id, tenant.name, at, wanted.digest),
    )
    return len(rows)


def _secret_rows(tenant: Tenant, secrets: _Secrets) -> list[SecretRow]:
    rows = []
    for place, each in enumerate(tenant.connections):
        for ordinal in range(len(each.verify_secrets)):
            value = secrets["connections", place, "verify_secrets", ordinal]
            rows.append(SecretRow(each.id, "verify", ordinal, each.valid_from, each.valid_to, value))
        if each.access_token is not None:
            value = secrets["connections", place, "access_token"]
            rows.append(SecretRow(each.id, "access_token", 0, each.valid_from, each.valid_to, value))
    for place, destination in enumerate(tenant.destinations):
        path = ("destinations", place)
        url = destination.url if isinstance(destination.url, str) else secrets[*path, "url"].decode()
        secret = secrets[*path, "secret"].decode() if destination.secret is not None else None
        kept = msgspec.json.encode(Destination(destination.id, destination.kind, url, secret))
        rows.append(SecretRow(destination.id, "destination", 0, destination.valid_from, destination.valid_to, kept))
    return rows


def _person_rows(tenant: Tenant) -> list[PersonRow]:
    return [PersonRow(each.id, each.valid_from, each.valid_to, PersonContact(each.name, each.email)) for each in tenant.people]
