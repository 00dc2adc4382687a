-- One row per wallet entry, with the balance after it and the last top-up at or before it.
-- A balance follows from all entries before it: a build that continues makes a wallet anew from the first entry on that changed, and begins
-- with a row of its place alone, without a transaction, which says from where on the old rows go.
{{ config(materialized='incremental', incremental_strategy='tail', meta={'tail': {'place': 'entry_order', 'key': 'transaction_id'}}) }}
{% set said = 'tenant_id, transaction_id, event_id, kind, amount_tokens, occurred_at, local_date' -%}
with tenants as (
    select * from {{ ref('stg_reference__tenants') }}
),

{% if is_incremental() %}
    told as (
        select
            ledger.tenant_id,
            ledger.transaction_id,
            ledger.event_id,
            ledger.kind,
            ledger.amount_tokens,
            ledger.occurred_at,
            {{ local_date('ledger.occurred_at', 'tenants.timezone') }} as local_date
        from {{ ref('fct_token_ledger') }} as ledger
        inner join tenants
            on ledger.tenant_id = tenants.tenant_id
        where ledger.account = 'wallet'
    ),

    stood as (
        select {{ said }} from {{ this }}
        where kind <> 'usage' or {{ is_touched('event') }}
    ),

    changed as (
        (
            select {{ said }} from told
            except
            select {{ said }} from stood
        )
        union all
        (
            select {{ said }} from stood
            except
            select {{ said }} from told
        )
    ),

    firsts as (
        select
            tenant_id,
            min(occurred_at) as changed_from
        from changed
        group by tenant_id
    ),

    places as (
        select
            firsts.tenant_id,
            firsts.changed_from,
            coalesce(max(entries.entry_order), 0) as entry_order
        from firsts
        left join {{ this }} as entries
            on
                firsts.tenant_id = entries.tenant_id
                and firsts.changed_from > entries.occurred_at
        group by firsts.tenant_id, firsts.changed_from
    ),

    openings as (
        select
            places.tenant_id,
            places.changed_from,
            places.entry_order,
            coalesce(entries.balance_tokens, 0) as balance_tokens,
            entries.top_up_transaction_id,
            entries.top_up_tokens
        from places
        left join {{ this }} as entries
            on
                places.tenant_id = entries.tenant_id
                and places.entry_order = entries.entry_order
    ),
{% else %}
    openings as (
        select
            tenant_id,
            0 as entry_order,
            0 as balance_tokens,
            cast(null as {{ text_type() }}) as top_up_transaction_id,
            cast(null as bigint) as top_up_tokens
        from tenants
    ),
{% endif %}

entries as (
    select
        ledger.tenant_id,
        ledger.transaction_id,
        ledger.event_id,
        ledger.kind,
        ledger.amount_tokens,
        ledger.occurred_at
    from {{ whole('fct_token_ledger') }} as ledger
    {% if is_incremental() %}
        inner join openings
            on
                ledger.tenant_id = openings.tenant_id
                and ledger.occurred_at >= openings.changed_from
    {% endif %}
    where ledger.account = 'wallet'
),

summed as (
    select
        *,
        sum(amount_tokens) over so_far as summed_tokens,
        sum(case when kind = 'credit' then 1 else 0 end) over so_far as top_up_no,
        row_number() over (partition by tenant_id order by occurred_at, transaction_id) as place_no
    from entries
    window so_far as (
        partition by tenant_id
        order by occurred_at, transaction_id
        rows between unbounded preceding and current row
    )
),

topped as (
    select
        *,
        max(case when kind = 'credit' then transaction_id end) over top_up as top_up_transaction_id,
        max(case when kind = 'credit' then amount_tokens end) over top_up as top_up_tokens
    from summed
    window top_up as (partition by tenant_id, top_up_no)
),

final as (
    select
        topped.tenant_id,
        topped.transaction_id,
        topped.event_id,
        coalesce(topped.top_up_transaction_id, openings.top_up_transaction_id) as top_up_transaction_id,
        topped.kind,

        cast(openings.entry_order + topped.place_no as bigint) as entry_order,
        topped.amount_tokens,
        cast(openings.balance_tokens + topped.summed_tokens as bigint) as balance_tokens,
        coalesce(topped.top_up_tokens, openings.top_up_tokens) as top_up_tokens,

        topped.occurred_at,
        {{ local_date('topped.occurred_at', 'tenants.timezone') }} as local_date
    from topped
    inner join tenants
        on topped.tenant_id = tenants.tenant_id
    inner join openings
        on topped.tenant_id = openings.tenant_id
)

select * from final
{% if is_incremental() %}
    union all
    select
        tenant_id,
        null as transaction_id,
        null as event_id,
        null as top_up_transaction_id,
        null as kind,
        entry_order + 1 as entry_order,
        null as amount_tokens,
        null as balance_tokens,
        null as top_up_tokens,
        null as occurred_at,
        null as local_date
    from openings
{% endif %}
