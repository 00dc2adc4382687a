"""Schemas, roles and the one function that puts a table under row-level security.

Roles are of the whole server, so they may exist already (another database of the same server).
`flexoraa_service` is the platform: it sees every tenant's rows, by a policy and not by a superuser's bypass.
`flexoraa_tenants` is the group of all tenants' roles and holds what they may read; `flexoraa_tenant_<id>` is one tenant.
"""

from alembic import op

revision = "0001_roles"
down_revision = None

ROLES = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'flexoraa_service') then
        create role flexoraa_service nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'flexoraa_tenants') then
        create role flexoraa_tenants nologin;
    end if;
end
$$;
-- whoever logs in as the platform takes on this role at once (orchestration.resources.state)
grant flexoraa_service to current_user;
"""

SCHEMAS = """
create schema if not exists ops;
create schema vault;
create schema serving;
create schema dagster;
grant usage on schema ops, vault to flexoraa_service;
grant usage, create on schema serving to flexoraa_service;
grant usage on schema ops, serving to flexoraa_tenants;
-- what a later step adds is the platform's without being named
alter default privileges in schema ops, vault grant select, insert, update, delete on tables to flexoraa_service;
grant select on ops.alembic_version to flexoraa_service;
"""

# pg_has_role(.., 'usage') follows inheritance: a login that was granted two tenants sees both, one that was granted none sees
# nothing.
VISIBLE_TENANTS = """
create function ops.visible_tenants() returns text[]
language sql stable security invoker parallel safe
set search_path = pg_catalog
as $$
    select coalesce(array_agg(substr(rolname, length('flexoraa_tenant_') + 1)), '{}')
    from pg_roles
    where rolname like 'flexoraa\\_tenant\\_%' and pg_has_role(current_user, oid, 'usage')
$$;
"""

# The inner select makes visible_tenants() run once a query and not once a row.
# Forced: the owner is under the policies too; the publisher owns what it makes in `serving`.
PROTECT_TABLE = """
create function ops.protect_table(schema_name text, table_name text) returns void
language plpgsql security invoker
set search_path = pg_catalog
as $$
begin
    execute format('alter table %1$I.%2$I enable row level security, force row level security', schema_name, table_name);
    execute format('drop policy if exists tenant_rows on %1$I.%2$I', schema_name, table_name);
    execute format('drop policy if exists service_rows on %1$I.%2$I', schema_name, table_name);
    execute format(
        'create policy tenant_rows on %1$I.%2$I for select to public '
        'using (tenant_id = any((select ops.visible_tenants())::text[]))', schema_name, table_name);
    execute format(
        'create policy service_rows on %1$I.%2$I to flexoraa_service using (true) with check (true)', schema_name, table_name);
    execute format('grant select, insert, update, delete on %1$I.%2$I to flexoraa_service', schema_name, table_name);
    if schema_name <> 'vault' then
        execute format('grant select on %1$I.%2$I to flexoraa_tenants', schema_name, table_name);
    end if;
end
$$;
"""


def upgrade() -> None:
    """Go forward."""
    for statement in (ROLES, SCHEMAS, VISIBLE_TENANTS, PROTECT_TABLE):
        op.execute(statement)
