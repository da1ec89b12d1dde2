{#
How tables and views take the place of those before, where the warehouse is DuckDB: in one statement and one commit. dbt's own way makes a
second relation, renames both, commits, drops the first and commits again, which is a sixth of what a build of little news takes. It is
still taken where a model asks for more than a statement.
Until the commit, and when the statement fails, the one before is what everybody reads.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {#- A model in Python has to be said from here. -#}
    {%- if model.language == 'python' -%}
        {%- set target = this.incorporate(type='table') -%}
        {%- set made = make_intermediate_relation(target) -%}
        {%- do drop_relation_if_exists(load_cached_relation(made)) -%}
        {{- run_hooks(pre_hooks) -}}
        {%- call statement('main', language='python') -%}
            {{- create_table_as(False, made, compiled_code, 'python') -}}
        {%- endcall -%}
        {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
        {%- do adapter.rename_relation(made, target) -%}
        {{- run_hooks(post_hooks) -}}
        {%- do adapter.commit() -%}
        {{ return({'relations': [target]}) }}
    {%- endif -%}
    {%- if config.get('indexes') or config.get('sql_header') or config.get('partitioned_by') or config.get('sorted_by') -%}
        {{ return(dbt.materialization_table_duckdb()) }}
    {%- endif -%}
    {{ return(replace_relation('table')) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- if config.get('sql_header') -%}
        {{ return(dbt.materialization_view_default()) }}
    {%- endif -%}
    {{ return(replace_relation('view')) }}
{% endmaterialization %}

{% macro replace_relation(type) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type=type) -%}
    {{- run_hooks(pre_hooks, inside_transaction=False) -}}
    {{- run_hooks(pre_hooks, inside_transaction=True) -}}
    {#- A view does not give way to a table, nor a table to a view. -#}
    {%- if existing is not none and existing.type != type -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {%- if config.get('contract').enforced -%}
            {{ get_assert_columns_equivalent(sql) }}
        {%- endif -%}
        {%- if type == 'table' and config.get('contract').enforced -%}
            create or replace table {{ target }} {{ get_table_columns_and_constraints() }};
            insert into {{ target }} {{ get_column_names() }} (
                {{ get_select_subquery(sql) }}
            )
        {%- else -%}
            create or replace {{ type }} {{ target }} as (
                {{ sql }}
            )
        {%- endif -%}
    {%- endcall -%}
    {%- do persist_docs(target, model) -%}
    {{- run_hooks(post_hooks, inside_transaction=True) -}}
    {%- do adapter.commit() -%}
    {{- run_hooks(post_hooks, inside_transaction=False) -}}
    {{ return({'relations': [target]}) }}
{%- endmacro %}
