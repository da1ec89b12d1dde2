{# The moment a build speaks about, as a timestamp in UTC: the var `as_of`, else the moment the run started. Rebuilding the past is setting it. #}
{% macro as_of() -%}
    cast('{{ var("as_of", none) or run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
{%- endmacro %}
