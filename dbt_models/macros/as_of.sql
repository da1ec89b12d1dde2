{#
The moment a build speaks about, as a timestamp in UTC: the var `as_of`, else the environment's SLUICE_DBT_AS_OF, else the moment the
run started. Rebuilding the past is setting it: what happened, was said, bought or written into the CRM since is not known yet; who is one
person with whom is known as it is today. The environment is there because a changed var makes dbt parse the project anew; it is
asked when a model is made and not when it is parsed, because dbt would parse anew whatever had read a variable that changed.
#}
{% macro as_of() -%}
    cast('{{ moment_of_build() }}' as timestamp)
{%- endmacro %}

{# Its day, as text: with another day come other scores. #}
{% macro as_of_day() -%}
    {{ return(moment_of_build()[:10]) }}
{%- endmacro %}

{#
Whether the build was told a moment, and something landed after it: only then has anything been seen since, but for clocks that run ahead.
While the project is parsed it is true, so that dbt learns what a model may be made of.
#}
{% macro is_about_the_past() -%}
    {%- set observations = ref('int_identity_observations') -%}
    {%- if not execute -%}
        {{ return(true) }}
    {%- endif -%}
    {%- if flags.WHICH not in ('run', 'build') or not (var("as_of", none) or env_var("SLUICE_DBT_AS_OF", "")) -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query("select coalesce(date_trunc('second', max(_landed_at)) > " ~ as_of() ~ ", false) from " ~ observations).rows[0][0]) }}
{%- endmacro %}

{% macro moment_of_build() -%}
    {{ return(var("as_of", none) or (env_var("SLUICE_DBT_AS_OF", "") if execute else none) or run_started_at.strftime("%Y-%m-%d %H:%M:%S")) }}
{%- endmacro %}
