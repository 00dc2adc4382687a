"""Who may see what: database roles of tenants granted to logins, and the roles of a tenant's people, each refusal in the audit log.

Here belongs granting, listing and checking. Not here: what a role sees (migration 0020, `ops.protect_table`), the commands.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.state import SERVICE_ROLE, State
from orchestration.resources.vault import Vault

ROLES = ("viewer", "operator", "manager", "admin")
"""Each sees what the one before it sees, and more."""

_HELD = """
    select m.rolname, t.tenant_id, named.part
    from ops.tenants t cross join unnest(%s::text[]) as named (part)
    join pg_roles r on r.rolname = 'flexoraa_' || named.part || '_' || t.tenant_id
    join pg_auth_members g on g.roleid = r.oid join pg_roles m on m.oid = g.member
    where m.rolname not like 'flexoraa\\_%%' and m.rolname <> session_user and (%s::text is null or t.tenant_id = %s)
    order by 1, 2, 3
"""


class AccessError(Exception):
    """Somebody may not do this, or is not there; the message says who may."""


class Held(NamedTuple):
    """A role that a login holds."""

    login: str
    tenant_id: str
    role: str


class Access:
    """Roles of one installation."""

    def __init__(self, state: State, vault: Vault) -> None:
        """Take the state, and the vault for the audit log."""
        self._state = state
        self._identity = PostgresIdentity(state, vault)
        self._audit = PostgresAudit(state, vault)

    def grant(self, login: str, role: str, tenant_id: str, *, is_made: bool) -> None:
        """Let a login see what the role sees of the tenant; `is_made`: make the login where there is none.

        Raises:
            AccessError: there is no such login or tenant, or whoever logs in here may not grant.
        """
        self._change(login, role, tenant_id, "granted", "grant {} to {}", is_made=is_made)

    def revoke(self, login: str, role: str, tenant_id: str) -> None:
        """Take it back.

        Raises:
            AccessError: as `grant`, or the login does not hold it.
        """
        if Held(login, tenant_id, role) not in self.held(tenant_id):
            raise AccessError(f"{login} is no {role} of {tenant_id}: `flexoraa role list` shows who is what")
        self._change(login, role, tenant_id, "revoked", "revoke {} from {}", is_made=False)

    def held(self, tenant_id: str | None = None) -> list[Held]:
        """Every role of a tenant, or of all, that a login holds."""
        with self._state.psycopg() as connection:
            return [Held._make(row) for row in connection.execute(_HELD, (list(ROLES), tenant_id, tenant_id))]

    def require(self, tenant_id: str, person: str, allowed: Collection[str], action: str, subject: str, now: datetime) -> None:
        """Refuse a person who is not one of the tenant's people in one of these roles; who was refused is in the log before it is told.

        Raises:
            AccessError: says who may.
        """
        people = self._identity.people(tenant_id, now)
        if people.get(person) in allowed:
            return
        role = people.get(person, "nobody")
        told = {"role": role, "by": machine_user()}
        self._audit.append(tenant_id, person if person in people else "unknown", f"{action}.refused", subject, told)
        who = f"{person} is {role}" if person in people else f"{tenant_id} has nobody with the id {person!r}"
        may = ", ".join(sorted(each for each, has in people.items() if has in allowed)) or "nobody yet"
        raise AccessError(f"{who}: this is for {', '.join(each for each in ROLES if each in allowed)}, who are {may}")

    def _change(self, login: str, role: str, tenant_id: str, verb: str, statement: str, *, is_made: bool) -> None:
        if role not in ROLES:
            raise AccessError(f"{role!r} is no role; there are {', '.join(ROLES)}")
        if tenant_id not in self._identity.tenants():
            raise AccessError(f"there is no tenant {tenant_id!r}; there are {', '.join(sorted(self._identity.tenants())) or 'none yet'}")
        if login.startswith(("flexoraa_", "pg_")):
            raise AccessError(f"{login} is no login but a role of ours")
        with self._state.owner() as connection:
            if connection.execute("select from pg_roles where rolname = %s", (login,)).rowcount == 0:
                if not is_made:
                    raise AccessError(f"the database has no login {login!r}: make it there, or add --create")
                connection.execute(sql.SQL("create role {} login").format(sql.Identifier(login)))
            named = sql.Identifier(f"flexoraa_{role}_{tenant_id}")
            try:
                connection.execute(sql.SQL(statement).format(named, sql.Identifier(login)))
            except InsufficientPrivilege as error:
                raise AccessError(f"whoever logs in by DATABASE_URL may not change roles: {error.diag.message_primary}") from error
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(SERVICE_ROLE)))
            self._audit.within(connection).append(tenant_id, machine_user(), f"role.{verb}", login, {"role": role})
