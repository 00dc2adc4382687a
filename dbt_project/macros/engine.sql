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

{% macro spark__microseconds(moment) -%}
    unix_micros({{ moment }})
{%- endmacro %}


{# The moment that lies so many microseconds after 1970 in UTC. #}
{% macro from_microseconds(number) %}{{ return(adapter.dispatch('from_microseconds')(number)) }}{% endmacro %}

{% macro default__from_microseconds(number) -%}
    (timestamp with time zone '1970-01-01 00:00:00+00' + ({{ number }}) * interval '1 microsecond')
{%- endmacro %}

{% macro duckdb__from_microseconds(number) -%}
    make_timestamptz({{ number }})
{%- endmacro %}

{% macro spark__from_microseconds(number) -%}
    timestamp_micros({{ number }})
{%- endmacro %}


{# Whole division of bigints that are not negative, rounded down. #}
{% macro whole_division(dividend, divisor) %}{{ return(adapter.dispatch('whole_division')(dividend, divisor)) }}{% endmacro %}

{% macro default__whole_division(dividend, divisor) -%}
    (({{ dividend }}) / ({{ divisor }}))
{%- endmacro %}

{% macro duckdb__whole_division(dividend, divisor) -%}
    (({{ dividend }}) // ({{ divisor }}))
{%- endmacro %}

{% macro spark__whole_division(dividend, divisor) -%}
    (({{ dividend }}) div ({{ divisor }}))
{%- endmacro %}


{# In a list of columns: the row once for each whole number from one to another; both bigint, the first not above the last. #}
{% macro each_number(first, last) %}{{ return(adapter.dispatch('each_number')(first, last)) }}{% endmacro %}

{% macro default__each_number(first, last) -%}
    generate_series({{ first }}, {{ last }})
{%- endmacro %}

{% macro duckdb__each_number(first, last) -%}
    unnest(range({{ first }}, {{ last }} + 1))
{%- endmacro %}

{% macro spark__each_number(first, last) -%}
    explode(sequence(cast({{ first }} as bigint), cast({{ last }} as bigint)))
{%- endmacro %}


{# SHA-256 of the UTF-8 bytes of a text, in lower-case hex. #}
{% macro sha256_hex(text) %}{{ return(adapter.dispatch('sha256_hex')(text)) }}{% endmacro %}

{% macro default__sha256_hex(text) -%}
    encode(sha256(convert_to({{ text }}, 'UTF8')), 'hex')
{%- endmacro %}

{% macro duckdb__sha256_hex(text) -%}
    sha256({{ text }})
{%- endmacro %}

{% macro spark__sha256_hex(text) -%}
    sha2({{ text }}, 256)
{%- endmacro %}


{# The distinct values of a group, sorted, with commas between them. #}
{% macro distinct_list(text) %}{{ return(adapter.dispatch('distinct_list')(text)) }}{% endmacro %}

{% macro default__distinct_list(text) -%}
    string_agg(distinct {{ text }}, ',' order by {{ text }})
{%- endmacro %}

{% macro spark__distinct_list(text) -%}
    listagg(distinct {{ text }}, ',') within group (order by {{ text }})
{%- endmacro %}


{# The date of a moment in a time zone that is named by a column. #}
{% macro local_date(moment, timezone) %}{{ return(adapter.dispatch('local_date')(moment, timezone)) }}{% endmacro %}

{% macro default__local_date(moment, timezone) -%}
    cast(timezone({{ timezone }}, {{ moment }}) as date)
{%- endmacro %}

{% macro spark__local_date(moment, timezone) -%}
    cast(from_utc_timestamp({{ moment }}, {{ timezone }}) as date)
{%- endmacro %}


{# In a select list: a row for each date from one to another, both included. #}
{% macro each_date(first, last) %}{{ return(adapter.dispatch('each_date')(first, last)) }}{% endmacro %}

{% macro default__each_date(first, last) -%}
    generate_series({{ first }}, {{ last }}, interval '1 day')
{%- endmacro %}

{% macro duckdb__each_date(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}, interval 1 day))
{%- endmacro %}

{% macro spark__each_date(first, last) -%}
    explode(sequence({{ first }}, {{ last }}, interval 1 day))
{%- endmacro %}


{# A moment as ISO 8601 in UTC with microseconds and Z. #}
{% macro iso_time(moment) %}{{ return(adapter.dispatch('iso_time')(moment)) }}{% endmacro %}

{% macro default__iso_time(moment) -%}
    to_char(timezone('UTC', {{ moment }}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
{%- endmacro %}

{% macro duckdb__iso_time(moment) -%}
    strftime(timezone('UTC', {{ moment }}), '%Y-%m-%dT%H:%M:%S.%fZ')
{%- endmacro %}

{% macro spark__iso_time(moment) -%}
    date_format({{ moment }}, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
{%- endmacro %}


{# The type of a `*_at` column. #}
{% macro moment_type() %}{{ return(adapter.dispatch('moment_type')()) }}{% endmacro %}

{% macro default__moment_type() -%}
    timestamp with time zone
{%- endmacro %}

{% macro spark__moment_type() -%}
    timestamp
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

{% macro spark__text_type() -%}
    string
{%- endmacro %}


{# The engine's own word for a type of a contract or of a seed's column. #}
{% macro engine_type(contract_type) %}{{ return(adapter.dispatch('engine_type')(contract_type)) }}{% endmacro %}

{% macro default__engine_type(contract_type) -%}
    {{ return(contract_type) }}
{%- endmacro %}

{% macro spark__engine_type(contract_type) -%}
    {%- set words = {'text': 'string', 'timestamptz': 'timestamp', 'double precision': 'double', 'integer': 'int'} -%}
    {{ return(words.get(contract_type, contract_type)) }}
{%- endmacro %}


{# The type of whole numbers of up to 38 digits, whose sums and products are exact. #}
{% macro wide_type() %}{{ return(adapter.dispatch('wide_type')()) }}{% endmacro %}

{% macro default__wide_type() -%}
    numeric
{%- endmacro %}

{% macro duckdb__wide_type() -%}
    hugeint
{%- endmacro %}

{% macro spark__wide_type() -%}
    decimal(38, 0)
{%- endmacro %}


{# The type of a floating-point column. #}
{% macro double_type() -%}
    {{ return(engine_type('double precision')) }}
{%- endmacro %}


{# What a planner must be told of a table that was just built: Postgres would plan its first readers blindly. #}
{% macro gather_statistics(relation) %}{{ return(adapter.dispatch('gather_statistics')(relation)) }}{% endmacro %}

{% macro default__gather_statistics(relation) -%}
{%- endmacro %}

{% macro postgres__gather_statistics(relation) -%}
    analyze {{ relation }}
{%- endmacro %}


{#
    dbt-spark's own macros that take types, in whose place these are: contracts and seeds name types in the words of the other engines,
    and of a seed's empty field it makes the text 'None'.
#}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set types = {} -%}
    {%- for name in columns -%}
        {%- do types.update({name: dict(columns[name], data_type=engine_type(columns[name]['data_type']))}) -%}
    {%- endfor -%}
    {{ return(default__get_empty_schema_sql(types)) }}
{%- endmacro %}

{% macro spark__create_csv_table(model, agate_table) -%}
    {%- set types = model['config']['column_types'] -%}
    {%- set statement_text -%}
        create table {{ this.render() }} (
        {%- for name in agate_table.column_names -%} {{ name }} {{ engine_type(types[name]) }} {{- ', ' if not loop.last }} {%- endfor -%}
        )
    {%- endset -%}
    {%- call statement('_') -%} {{ statement_text }} {%- endcall -%}
    {{ return(statement_text) }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model['config']['column_types'] -%}
    {%- set statement_text -%}
        insert into {{ this.render() }} values
        {% for row in agate_table.rows -%}
            (
            {%- for name in agate_table.column_names -%}
                {%- set value = row[name] -%}
                cast({{ 'null' if value is none else dbt.string_literal(value | string) }} as {{ engine_type(types[name]) }})
                {{- ', ' if not loop.last }}
            {%- endfor -%}
            ) {{- ', ' if not loop.last }}
        {% endfor %}
    {%- endset -%}
    {%- do adapter.add_query(statement_text, abridge_sql_log=True) -%}
    {{ return(statement_text) }}
{%- endmacro %}


{# Whether models can be continued: Spark's Parquet tables know no delete, so there every build makes everything anew. #}
{% macro has_increments() %}{{ return(adapter.dispatch('has_increments')()) }}{% endmacro %}

{% macro default__has_increments() -%}
    {{ return(true) }}
{%- endmacro %}

{% macro spark__has_increments() -%}
    {{ return(false) }}
{%- endmacro %}

{# dbt-spark refuses strategies that it does not know; none of ours is ever asked for there. #}
{% macro dbt_spark_validate_get_incremental_strategy(raw_strategy, file_format) %}
    {{ return('append') }}
{% endmacro %}
