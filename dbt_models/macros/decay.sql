{#
What is left of one point after `age` days, 1 at age 0.
    half_life  0.5 ^ (age / parameter)
    window     1 up to `parameter` days, then nothing
    linear     falls to nothing over `parameter` days
    step       (1 - loss) ^ whole periods of `parameter` days
    none       never less
#}
{% macro decay(kind, age, parameter, loss) -%}
    case {{ kind }}
        when 'half_life' then power(0.5, {{ age }} / {{ parameter }})
        when 'window' then case when {{ age }} <= {{ parameter }} then 1.0 else 0.0 end
        when 'linear' then greatest(1.0 - {{ age }} / {{ parameter }}, 0.0)
        when 'step' then power(1.0 - {{ loss }}, floor({{ age }} / {{ parameter }}))
        when 'none' then 1.0
    end
{%- endmacro %}
