{#
A table that only the run that makes it needs. Where a warehouse has no temporary tables, or none that outlive a statement, it is a
table beside the models until it is dropped.
#}
{% macro create_temporary(name, select) -%}
    {%- do adapter.dispatch('create_temporary')(name, select) -%}
{%- endmacro %}

{% macro default__create_temporary(name, select) -%}
    {%- do run_query('drop table if exists ' ~ name) -%}
    {%- do run_query('create table ' ~ name ~ ' as ' ~ select) -%}
{%- endmacro %}

{% macro duckdb__create_temporary(name, select) -%}
    {%- do run_query('create or replace temporary table ' ~ name ~ ' as ' ~ select) -%}
{%- endmacro %}

{# As text, like all a macro gives. #}
{% macro count_rows(name) -%}
    {{ run_query('select count(*) from ' ~ name).columns[0].values()[0] }}
{%- endmacro %}
