{# Within each group the column sums to zero, over at least two rows. #}
{% test sums_to_zero(model, column, group_by) %}
select {{ group_by | join(', ') }}, sum({{ column }}) as total, count(*) as row_count
from {{ model }}
group by {{ group_by | join(', ') }}
having sum({{ column }}) <> 0 or count(*) < 2
{% endtest %}
