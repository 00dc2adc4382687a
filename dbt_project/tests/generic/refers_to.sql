{# Every row that names something names what exists, in its own tenant: `columns` match `fields` of the model `to`; null names nothing. #}
{% test refers_to(model, to, columns, fields) %}
select {% for column in columns %} child.{{ column }} {{ ',' if not loop.last }} {% endfor %}
from {{ model }} as child
left join {{ to }} as parent
    on {% for column in columns %} child.{{ column }} = parent.{{ fields[loop.index0] }} {{ 'and' if not loop.last }} {% endfor %}
where parent.{{ fields[0] }} is null {% for column in columns %} and child.{{ column }} is not null {% endfor %}
{% endtest %}
