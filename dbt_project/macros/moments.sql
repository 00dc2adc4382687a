{#
    Moments of values without rounding: a value is kept as whole steps of 0.00001, so sums of squares are exact in whole numbers of 38 digits and
    do not depend on the order of rows, on the engine, or on how far the mean lies from zero. A unit's value lies within 1e10, so that ten
    million units fit. Merging and inference: ml/moments.py.
#}

{# A floating-point value as whole steps, halves up. #}
{% macro steps_of(value) -%}
    cast(cast(floor({{ value }} * 100000 + 0.5) as bigint) as {{ wide_type() }})
{%- endmacro %}

{#
    The sum of products of deviations from the means, in the unit of the values (m2, or the co-moment of two). Needs of `one` and `other` the
    columns <name>_whole (a whole number near the mean) and <name>_rest (the sum less n times that), and `product`, the sum of products; and `n`.
    Only what lies within half a step of the means is computed in floating point.
#}
{% macro deviations(one, other, product) -%}
    (
        cast(
            {{ product }} - {{ one }}_whole * {{ other }}_whole * n - {{ one }}_whole * {{ other }}_rest - {{ other }}_whole * {{ one }}_rest
            as {{ double_type() }}
        ) - cast({{ one }}_rest as {{ double_type() }}) * cast({{ other }}_rest as {{ double_type() }}) / nullif(n, 0)
    ) / 10000000000
{%- endmacro %}
