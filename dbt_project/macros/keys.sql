{#
    A key of ordered parts that no other parts can give: SHA-256, lower-case hex, of the UTF-8 bytes of the parts, each with its length
    before it. A part is written as its length in UTF-8 bytes, ':' and itself; a missing part as '-'. So ('a', null, 'bc') is '1:a-2:bc'.
    Parts are text expressions; what is not text is cast to text by the caller. The same as `core.actions.key_of`; vectors: tests/dbt/test_keys.py.
#}
{% macro key_of(parts) -%}
    {%- set encoded = [] -%}
    {%- for part in parts -%}
        {%- do encoded.append("coalesce(cast(" ~ byte_length(part) ~ " as " ~ text_type() ~ ") || ':' || " ~ part ~ ", '-')") -%}
    {%- endfor -%}
    {{ sha256_hex(encoded | join(" || ")) }}
{%- endmacro %}
