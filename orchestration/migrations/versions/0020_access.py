"""Who of a tenant may read what: viewer, operator, manager, admin, each a database role a tenant.

`flexoraa_<role>_<tenant>` is granted to logins; each is in the one below it. Above them is `flexoraa_tenant_<id>`, the whole tenant.
A tenant's roles read columns and never a table: a row's place in its file (`ctid`), its transaction (`xmin`) and a number that all
tenants share would tell how much others do.
"""

from alembic import op

revision = "0020_access"
down_revision = "0019_audit"

# pg_has_role(.., 'usage') follows inheritance. `flexoraa_tenant_<id>` is above all four.
SEEN_AS = """
create function ops.visible_tenants(lowest text) returns text[]
language sql stable security invoker parallel safe set search_path = pg_catalog
as $$
    select coalesce(array_agg(distinct substr(rolname, length(part) + 1)), '{}')
    from pg_roles, unnest(array['flexoraa_tenant_', 'flexoraa_' || lowest || '_']) as named (part)
    where starts_with(rolname, part) and pg_has_role(current_user, oid, 'usage')
$$;
create or replace function ops.visible_tenants() returns text[]
language sql stable security invoker parallel safe set search_path = pg_catalog
as $$ select ops.visible_tenants('viewer') $$;
"""

# What a tenant may read of a table: its columns, without those that number the rows of all tenants.
GRANT_COLUMNS = """
create function ops.let_tenants_read(schema_name text, table_name text) returns void
language plpgsql security invoker set search_path = pg_catalog
as $$
declare
    columns text;
begin
    select string_agg(quote_ident(attname), ', ') into columns from pg_attribute
    where attrelid = format('%I.%I', schema_name, table_name)::regclass and attnum > 0 and not attisdropped
        and attidentity = '' and attname <> 'follows';
    execute format('revoke select on %I.%I from flexoraa_tenants', schema_name, table_name);
    execute format('grant select (%s) on %I.%I to flexoraa_tenants', columns, schema_name, table_name);
end
$$;
"""

PROTECT_TABLE = """
create function ops.protect_table(schema_name text, table_name text, lowest text) returns void
language plpgsql security invoker set search_path = pg_catalog
as $$
begin
    if lowest not in ('viewer', 'operator', 'manager', 'admin') then
        raise exception 'ops.protect_table: % is no role', lowest;
    end if;
    execute format('alter table %1$I.%2$I enable row level security, force row level security', schema_name, table_name);
    execute format('drop policy if exists tenant_rows on %1$I.%2$I', schema_name, table_name);
    execute format('drop policy if exists service_rows on %1$I.%2$I', schema_name, table_name);
    execute format(
        'create policy tenant_rows on %1$I.%2$I for select to public '
        'using (tenant_id = any((select ops.visible_tenants(%3$L))::text[]))', schema_name, table_name, lowest);
    execute format(
        'create policy service_rows on %1$I.%2$I to flexoraa_service using (true) with check (true)', schema_name, table_name);
    execute format('grant select, insert, update, delete on %1$I.%2$I to flexoraa_service', schema_name, table_name);
    if schema_name <> 'vault' then
        perform ops.let_tenants_read(schema_name, table_name);
    end if;
end
$$;
create or replace function ops.protect_table(schema_name text, table_name text) returns void
language sql security invoker set search_path = pg_catalog
as $$ select ops.protect_table(schema_name, table_name, 'viewer') $$;
"""

# Tables that are there already: columns in place of the table, and who sees them. What the platform's role may not change stays so.
LOWEST = {
    "operator": ("outbox", "delivery_attempts", "quarantine", "pull_cursors"),
    "manager": (
        "audit_log", "identity_decisions", "experiment_verdicts", "quarantine_reads", "privacy_requests", "privacy_steps",
        "privacy_certificates", "erasures", "erased_lines", "legal_holds", "retention_rules",
    ),
}  # fmt: skip
EXISTING = """
do $$
declare
    found record;
begin
    for found in
        select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('ops', 'serving') and c.relkind = 'r' and has_table_privilege('flexoraa_tenants', c.oid, 'select')
    loop
        perform ops.let_tenants_read(found.nspname, found.relname);
    end loop;
end
$$;
"""

ROLES = """
create function ops.make_tenant_roles(tenant text) returns void
language plpgsql security invoker set search_path = pg_catalog
as $$
declare
    below text := 'flexoraa_tenants';
    each text;
begin
    if not exists (select from pg_roles where rolname = 'flexoraa_tenant_' || tenant) then
        execute format('create role %I nologin in role flexoraa_tenants', 'flexoraa_tenant_' || tenant);
    end if;
    foreach each in array array['viewer', 'operator', 'manager', 'admin'] loop
        if not exists (select from pg_roles where rolname = format('flexoraa_%s_%s', each, tenant)) then
            execute format('create role %I nologin in role %I', format('flexoraa_%s_%s', each, tenant), below);
        end if;
        below := format('flexoraa_%s_%s', each, tenant);
    end loop;
end
$$;
select ops.make_tenant_roles(tenant_id) from ops.tenants;
"""


def upgrade() -> None:
    """Go forward."""
    for statement in (SEEN_AS, GRANT_COLUMNS, PROTECT_TABLE, EXISTING, ROLES):
        op.execute(statement)
    for lowest, tables in LOWEST.items():
        for table in tables:
            op.execute(f"alter policy tenant_rows on ops.{table} using (tenant_id = any((select ops.visible_tenants('{lowest}'))::text[]))")
