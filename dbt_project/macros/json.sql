{# JSON as text, written the same way on every engine: keys in the order given, no blanks, control characters dropped. #}

{# A text expression as a JSON string; null as null. A backslash is chr(92): in a literal Spark takes it for an escape. #}
{% macro json_text(text) -%}
    coalesce(
        '"' || replace(replace(replace(replace(replace(
            {{ text }}, chr(92), chr(92) || chr(92)), '"', chr(92) || '"'),
            chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r'), chr(9), chr(92) || 't') || '"',
        'null'
    )
{%- endmacro %}

{# An integer expression as a JSON number; null as null. #}
{% macro json_number(number) -%}
    coalesce(cast({{ number }} as {{ text_type() }}), 'null')
{%- endmacro %}

{# A JSON object from a mapping of key to an expression that is JSON text already. #}
{% macro json_object(members) -%}
    '{' ||
    {%- for key, value in members.items() %} '"{{ key }}":' || {{ value }} || {% if not loop.last %} ',' || {% endif %} {%- endfor %} '}'
{%- endmacro %}
