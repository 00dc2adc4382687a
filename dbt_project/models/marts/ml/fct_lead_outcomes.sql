-- One row per word of our people on how a lead ended: the ground truth of models. Of several words of one lead, the last counts.
select
    tenant_id,
    lead_id,
    event_id,
    event_kind as outcome,
    occurred_at
from {{ ref('int_lead_events__sequenced') }}
where event_kind in ('won', 'lost')
