{# What all events share: the first telling of each, and the lead that held its contact point. #}

{#
    The rows of a lake table that count: up to the moment of the build, received by the moment that it is to know of (if any), each event once. Of several tellings of one event our own feed's
    stays, for it knows who of us wrote, and with which action; else what they say decides (source, account, time, hash of the body), never
    when or in which segment it came, so that lateness and any split of the input give the same rows.
#}
{% macro first_tellings(table, schema='lake') -%}
    select tellings.*
    from (
        select
            events.*,
            row_number() over (
                partition by events.tenant_id, events.event_id
                order by
                    case when events.source = 'platform' then 0 else 1 end,
                    events.source,
                    events.account_id,
                    events.occurred_at,
                    events.body_hash,
                    events.received_at
            ) as telling_no
        from {{ source(schema, table) }} as events
        where
            events.occurred_at <= {{ as_of() }}
            and events.received_at <= coalesce({{ known_at() }}, events.received_at)
            {{ only_touched() }}
    ) as tellings
    where tellings.telling_no = 1
{%- endmacro %}

{# Joins the lead that held the contact point of an event at its time. #}
{% macro join_lead(alias) -%}
    left join {{ ref('stg_reference__lead_points') }} as lead_points
        on
            {{ alias }}.tenant_id = lead_points.tenant_id
            and {{ alias }}.contact_point_id = lead_points.contact_point_id
            and {{ is_valid_at('lead_points', alias ~ '.occurred_at') }}
{%- endmacro %}
