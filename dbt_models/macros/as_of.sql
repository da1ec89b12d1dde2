{#
The moment a build speaks about, as a timestamp in UTC: the var `as_of`, else the environment's SLUICE_DBT_AS_OF, else the moment the
run started. Rebuilding the past is setting it. The environment is there because a changed var makes dbt parse the project anew.
#}
{% macro as_of() -%}
    cast('{{ var("as_of", none) or env_var("SLUICE_DBT_AS_OF", "") or run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
{%- endmacro %}
