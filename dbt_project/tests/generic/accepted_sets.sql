{# Every enumeration of a model in one query: `sets` maps a column to its values; null is allowed (see not_null_columns). #}
{% test accepted_sets(model, sets) %}
{% for column, values in sets.items() %}
select '{{ column }}' as column_name, cast({{ column }} as {{ text_type() }}) as value
from {{ model }}
where {{ column }} not in ('{{ values | join("', '") }}')
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
