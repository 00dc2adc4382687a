{#
    Rows with the same `columns` never overlap, and those with the same `covered` (the same columns, if not told) cover all time from 2000
    on: where a seed is joined by a moment, an overlap would double rows and a hole would make them vanish. Half-open: the end of one may be
    the beginning of the next. `covered: []` is for words that come and go.
#}
{% test covers_all_time(model, columns, covered=none) %}
{%- set covered = columns if covered is none else covered -%}
{%- set never = "cast('9999-12-31 00:00:00+00' as " ~ moment_type() ~ ")" -%}
{%- set always = "cast('2000-01-01 00:00:00+00' as " ~ moment_type() ~ ")" -%}
with ranges as (
    select
        {{ columns | join(', ') }},
        valid_from,
        coalesce(valid_to, {{ never }}) as until
    from {{ model }}
),

compared as (
    select
        *,
        {% if covered -%}
        coalesce(max(until) over (
            partition by {{ covered | join(', ') }} order by valid_from, until rows between unbounded preceding and 1 preceding
        ), {{ always }}) as covered_until,
        max(until) over (partition by {{ covered | join(', ') }}) as covered_last,
        {% endif -%}
        max(until) over (
            partition by {{ columns | join(', ') }} order by valid_from, until rows between unbounded preceding and 1 preceding
        ) as taken_until
    from ranges
)

select * from compared
where
    valid_from is null
    or until <= valid_from
    or taken_until > valid_from
    {% if covered -%}
    or covered_until < valid_from
    or covered_last < {{ never }}
    {% endif %}
{% endtest %}
