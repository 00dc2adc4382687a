"""Where something was taken out for an erasure: lines of raw segments, bodies of the quarantine, rows of the lake.

A restore takes out the same again, also of whom the vault no longer knows the number. It takes the place of `erased_lines`, which knew of
segments alone.
"""

from alembic import op

revision = "0027_erased_places"
down_revision = "0026_witness"

TABLE = """
create table ops.erased_places (
    store text not null check (store in ('inbox', 'quarantine', 'lake')),
    thing text not null,
    place text not null,
    name text not null default '',
    tenant_id text not null,
    request_id text not null references ops.privacy_requests,
    primary key (store, thing, place)
);
comment on table ops.erased_places is
    'inbox: SHA-256 that the segment had when it came, line, name; quarantine: id of the entry; lake: table, event';
insert into ops.erased_places (store, thing, place, tenant_id, request_id)
select 'inbox', segment_id, line::text, tenant_id, request_id from ops.erased_lines;
drop table ops.erased_lines;
select ops.protect_table('ops', 'erased_places', 'manager');
revoke update, delete, truncate on ops.erased_places from flexoraa_service;
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLE)
