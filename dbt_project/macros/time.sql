{# Time: the moment of the build, half-open validity, exact arithmetic in microseconds. No clock is ever read. #}

{# The moment that the whole build speaks of: a scalar subquery on the one row of `reference.run`. #}
{% macro as_of() -%}
    (select run.as_of from {{ source('reference', 'run') }} as run)
{%- endmacro %}

{# With a moment, the build knows what was received by then, and nothing else; without one (null), everything. #}
{% macro known_at() -%}
    (select run.known_at from {{ source('reference', 'run') }} as run)
{%- endmacro %}

{# Whether a row that has `valid_from` and `valid_to` (null: for ever) is valid at a moment; half-open. #}
{% macro is_valid_at(alias, moment) -%}
    {{ alias }}.valid_from <= {{ moment }} and ({{ alias }}.valid_to is null or {{ moment }} < {{ alias }}.valid_to)
{%- endmacro %}

{# A moment so many seconds later. #}
{% macro add_seconds(moment, seconds) -%}
    {{ from_microseconds(microseconds(moment) ~ ' + ' ~ seconds ~ ' * 1000000') }}
{%- endmacro %}

{# Whole seconds from one moment to a later one, rounded down. #}
{% macro seconds_between(earlier, later) -%}
    {{ whole_division(microseconds(later) ~ ' - ' ~ microseconds(earlier), 1000000) }}
{%- endmacro %}
