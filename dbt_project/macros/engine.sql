{#
    Every difference between engines, and nothing else: one macro an idea, dispatched. `default__` is ANSI as far as it goes
    (it is what Postgres takes); an engine that differs has its own.
#}

{% macro microseconds(moment) %}{{ return(adapter.dispatch('microseconds')(moment)) }}{% endmacro %}

{% macro default__microseconds(moment) -%}
    cast(round(extract(epoch from {{ moment }}) * 1000000) as bigint)
{%- endmacro %}

{% macro duckdb__microseconds(moment) -%}
    epoch_us({{ moment }})
{%- endmacro %}


{# The moment that lies so many microseconds after 1970 in UTC. #}
{% macro from_microseconds(number) %}{{ return(adapter.dispatch('from_microseconds')(number)) }}{% endmacro %}

{% macro default__from_microseconds(number) -%}
    (timestamp with time zone '1970-01-01 00:00:00+00' + ({{ number }}) * interval '1 microsecond')
{%- endmacro %}

{% macro duckdb__from_microseconds(number) -%}
    make_timestamptz({{ number }})
{%- endmacro %}


{# Whole division of bigints that are not negative, rounded down. #}
{% macro whole_division(dividend, divisor) %}{{ return(adapter.dispatch('whole_division')(dividend, divisor)) }}{% endmacro %}

{% macro default__whole_division(dividend, divisor) -%}
    (({{ dividend }}) / ({{ divisor }}))
{%- endmacro %}

{% macro duckdb__whole_division(dividend, divisor) -%}
    (({{ dividend }}) // ({{ divisor }}))
{%- endmacro %}


{# SHA-256 of the UTF-8 bytes of a text, in lower-case hex. #}
{% macro sha256_hex(text) %}{{ return(adapter.dispatch('sha256_hex')(text)) }}{% endmacro %}

{% macro default__sha256_hex(text) -%}
    encode(sha256(convert_to({{ text }}, 'UTF8')), 'hex')
{%- endmacro %}

{% macro duckdb__sha256_hex(text) -%}
    sha256({{ text }})
{%- endmacro %}


{# The distinct values of a group, sorted, with commas between them. #}
{% macro distinct_list(text) %}{{ return(adapter.dispatch('distinct_list')(text)) }}{% endmacro %}

{% macro default__distinct_list(text) -%}
    string_agg(distinct {{ text }}, ',' order by {{ text }})
{%- endmacro %}


{# The date of a moment in a time zone that is named by a column. #}
{% macro local_date(moment, timezone) %}{{ return(adapter.dispatch('local_date')(moment, timezone)) }}{% endmacro %}

{% macro default__local_date(moment, timezone) -%}
    cast(timezone({{ timezone }}, {{ moment }}) as date)
{%- endmacro %}


{# A moment as ISO 8601 in UTC with microseconds and Z. #}
{% macro iso_time(moment) %}{{ return(adapter.dispatch('iso_time')(moment)) }}{% endmacro %}

{% macro default__iso_time(moment) -%}
    to_char(timezone('UTC', {{ moment }}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
{%- endmacro %}

{% macro duckdb__iso_time(moment) -%}
    strftime(timezone('UTC', {{ moment }}), '%Y-%m-%dT%H:%M:%S.%fZ')
{%- endmacro %}


{# The type of a `*_at` column. #}
{% macro moment_type() %}{{ return(adapter.dispatch('moment_type')()) }}{% endmacro %}

{% macro default__moment_type() -%}
    timestamp with time zone
{%- endmacro %}


{# How many bytes a text has in UTF-8. #}
{% macro byte_length(text) %}{{ return(adapter.dispatch('byte_length')(text)) }}{% endmacro %}

{% macro default__byte_length(text) -%}
    octet_length({{ text }})
{%- endmacro %}

{% macro duckdb__byte_length(text) -%}
    strlen({{ text }})
{%- endmacro %}


{# The type of a text column. #}
{% macro text_type() %}{{ return(adapter.dispatch('text_type')()) }}{% endmacro %}

{% macro default__text_type() -%}
    text
{%- endmacro %}
