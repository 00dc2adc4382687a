"""What becomes of what was turned away: replays, segments that are held whole, who read a body, bodies that have expired.

A replay writes a segment of its own. What it takes in is counted there; where it lay before, it is `replayed` and no longer `rejected`.
"""

from alembic import op

revision = "0005_quarantine"
down_revision = "0004_retries"

COUNTS = """
alter table ops.segment_counts add column replayed int not null default 0;
alter table ops.segment_counts drop constraint segment_counts_check;
alter table ops.segment_counts add check (received = accepted + rejected + replayed);
comment on column ops.segment_counts.replayed is 'items that were received here and are counted anew by a replay';
"""

ENTRIES = """
alter table ops.quarantine alter column body_enc drop not null;
alter table ops.quarantine add column replay_id text;
alter table ops.quarantine add column changed_at timestamptz;
alter table ops.quarantine add check (state in ('held', 'replayed', 'expired'));
alter table ops.quarantine add check ((body_enc is not null) = (state = 'held'));
comment on column ops.quarantine.replay_id is 'the replay that took it in; its segment in the lake has the same id';
create table ops.quarantine_reads (
    read_id bigint generated always as identity primary key,
    quarantine_id text not null,
    tenant_id text not null,
    read_at timestamptz not null,
    reader text not null
);
create index on ops.quarantine_reads (quarantine_id);
"""

REPLAYS = """
create table ops.replays (
    replay_id text primary key,
    segment_id text not null,
    kind text not null check (kind in ('quarantine', 'unmodelled')),
    state text not null check (state in ('begun', 'written', 'done')),
    items jsonb not null,
    counts jsonb,
    begun_at timestamptz not null,
    done_at timestamptz
);
create index on ops.replays (segment_id);
comment on column ops.replays.items is 'quarantine: line numbers; unmodelled: pairs of tenant and event id';
comment on column ops.replays.counts is 'rows of segment_counts that a written replay adds, once its old rows are gone';
"""

BREAKER = """
create table ops.held_segments (
    segment_id text primary key,
    path text not null,
    size_bytes bigint not null,
    state text not null check (state in ('held', 'released', 'taken')),
    held_at timestamptz not null,
    tried_with text not null,
    verdicts jsonb not null
);
comment on column ops.held_segments.tried_with is 'connections and decoders of the last try; others are a reason to try again';
"""


def upgrade() -> None:
    """Go forward."""
    for statement in (COUNTS, ENTRIES, REPLAYS, BREAKER):
        op.execute(statement)
    op.execute("select ops.protect_table('ops', 'quarantine_reads')")
