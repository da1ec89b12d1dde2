{#
How tables and views take the place of those before, where the warehouse is DuckDB: in one statement and one commit. dbt's own way makes a
second relation, renames both, commits, drops the first and commits again, which is a sixth of what a build of little news takes. It is
still taken where a model asks for more than a statement.
Until the commit, and when the statement fails, the one before is what everybody reads.

Of a table that names a column that tells its rows apart (`unique_key`) only the rows are written that are others than before: see
write_what_differs.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {#- A model in Python has to be said from here. -#}
    {%- if model.language == 'python' -%}
        {%- set target = this.incorporate(type='table') -%}
        {%- set made = make_intermediate_relation(target) -%}
        {%- do drop_relation_if_exists(load_cached_relation(made)) -%}
        {{- run_hooks(pre_hooks) -}}
        {%- do note_everybody() -%}
        {%- call statement('main', language='python') -%}
            {{- create_table_as(False, made, compiled_code, 'python') -}}
        {%- endcall -%}
        {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
        {%- do adapter.rename_relation(made, target) -%}
        {{- run_hooks(post_hooks) -}}
        {%- do adapter.commit() -%}
        {{ return({'relations': [target]}) }}
    {%- endif -%}
    {%- if asks_for_more() -%}
        {%- do note_everybody() -%}
        {{ return(dbt.materialization_table_duckdb()) }}
    {%- endif -%}
    {{ return(replace_relation('table')) }}
{% endmaterialization %}

{# Whether this table needs more than a statement. #}
{% macro asks_for_more() -%}
    {{ return(config.get('indexes') or config.get('sql_header') or config.get('partitioned_by') or config.get('sorted_by')) }}
{%- endmacro %}

{% materialization view, adapter='duckdb' %}
    {%- if config.get('sql_header') -%}
        {{ return(dbt.materialization_view_default()) }}
    {%- endif -%}
    {{ return(replace_relation('view')) }}
{% endmaterialization %}

{#
An incremental model that only appends is inserted as it is made. dbt writes it into a temporary table, reads what columns that has, and copies it
from there. Columns that a table from before does not have are passed over, as dbt does by default.
One whose meta names a column to be `in_order_of` is made as a whole by write_in_order.
#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set is_added_to = existing is not none and existing.type == 'table' and not should_full_refresh() -%}
    {%- set is_plain = model.language == 'sql' and config.get('incremental_strategy') == 'append' and not config.get('contract').enforced
        and config.get('on_schema_change', 'ignore') == 'ignore' and not config.get('sql_header') -%}
    {%- if not is_added_to and config.get('meta', {}).get('in_order_of') -%}
        {{ return(write_in_order(this.incorporate(type='table'), config.get('meta').in_order_of)) }}
    {%- endif -%}
    {%- if not (is_added_to and is_plain) -%}
        {%- do note_everybody() -%}
        {{ return(dbt.materialization_incremental_duckdb()) }}
    {%- endif -%}
    {{- run_hooks(pre_hooks, inside_transaction=False) -}}
    {{- run_hooks(pre_hooks, inside_transaction=True) -}}
    {%- set names = columns_of(existing) | map('first') | join(', ') -%}
    {%- set is_all = whose() and run_query('select count(*) = 0 from ' ~ existing).rows[0][0] -%}
    {%- call statement('main') -%}
        insert into {{ existing }} ({{ names }})
        select {{ names }} from (
            {{ sql }}
        ) as made
    {%- endcall -%}
    {%- if is_all -%}
        {%- do run_query(note_people('select distinct ' ~ whose() ~ ' from ' ~ existing)) -%}
    {%- endif -%}
    {{ return(committed(existing)) }}
{% endmaterialization %}

{% macro replace_relation(type) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type=type) -%}
    {{- run_hooks(pre_hooks, inside_transaction=False) -}}
    {{- run_hooks(pre_hooks, inside_transaction=True) -}}
    {#- A view does not give way to a table, nor a table to a view. -#}
    {%- if existing is not none and existing.type != type -%}
        {%- do adapter.drop_relation(existing) -%}
        {%- set existing = none -%}
    {%- endif -%}
    {%- set key = config.get('unique_key') if type == 'table' and not config.get('contract').enforced -%}
    {%- if key and existing is not none and not should_full_refresh() -%}
        {%- do write_what_differs(target, adapter.quote(key)) -%}
    {%- else -%}
        {{- replace_all(type, target) -}}
    {%- endif -%}
    {{ return(committed(target)) }}
{%- endmacro %}

{# What ends a materialization: descriptions, hooks, the commit. Gives what dbt wants to be given. #}
{% macro committed(target) -%}
    {%- do persist_docs(target, model) -%}
    {{- run_hooks(post_hooks, inside_transaction=True) -}}
    {%- do adapter.commit() -%}
    {{- run_hooks(post_hooks, inside_transaction=False) -}}
    {{ return({'relations': [target]}) }}
{%- endmacro %}

{% macro replace_all(type, target) -%}
    {%- set whole = for_everybody(sql) -%}
    {%- call statement('main') -%}
        {%- if config.get('contract').enforced -%}
            {{ get_assert_columns_equivalent(whole) }}
        {%- endif -%}
        {%- if type == 'table' and config.get('contract').enforced -%}
            create or replace table {{ target }} {{ get_table_columns_and_constraints() }};
            insert into {{ target }} {{ get_column_names() }} (
                {{ get_select_subquery(whole) }}
            )
        {%- else -%}
            create or replace {{ type }} {{ target }} as (
                {{ whole }}
            )
        {%- endif -%}
    {%- endcall -%}
    {%- do note_everybody() -%}
{%- endmacro %}

{#
Makes what the model says, and writes the rows of it that `target`, a table, does not have like that; those it no longer has leave. Afterwards
it holds what it would if it were made anew. To compress and write what stands there already is the dearer half of most tables, and an hour's
news change few of their rows.

All columns are compared, so nothing else has to say what may have changed; of a model that is made for some people only (people_to_make_again), those of
theirs. No two rows may have the same `key`, and none may lack it: its data tests say so. Where some of those to be written do, or the columns are
others than before, the table is made anew, for everybody. Not seen is a second row of a key beside one that stood there already: it takes its place.
#}
{% macro write_what_differs(target, key) -%}
    {%- set columns = columns_of(target) -%}
    {%- if columns != columns_of(sql) -%}
        {{ return(replace_all('table', target)) }}
    {%- endif -%}
    {%- set names = columns | map('first') | list -%}
    {%- set news = model.name ~ '_news' -%}
    {%- set those_before -%}
        {%- if people_wanted() in sql -%} (select * from {{ target }} where {{ people_wanted() }}) {%- else -%} {{ target }} {%- endif -%}
    {%- endset -%}
    {%- call statement('main') -%}
        create or replace temporary table {{ news }} as
        select made.*, before.{{ key }} as _before {{- ', before.' ~ whose() ~ ' as _whose_before' if whose() }}
        from (
            select *, true as _is_made from (
                {{ sql }}
            ) as said
        ) as made
        full join {{ those_before }} as before on made.{{ key }} = before.{{ key }}
        where (made.{{ names | join(', made.') }}) is distinct from (before.{{ names | join(', before.') }})
    {%- endcall -%}
    {%- set count = run_query("
        select
            count(*),
            (select count(*) from " ~ target ~ "),
            count(*) filter (where _is_made) = count(distinct " ~ key ~ ") filter (where _is_made)
                and count(*) filter (where _is_made is null and _before is null) = 0
        from " ~ news).rows[0] -%}
    {%- if not count[2] -%}
        {{- replace_all('table', target) -}}
    {%- elif count[0] * 4 > count[1] -%}
        {#- Of much, a table without gaps is sooner written than one with them. -#}
        {%- call statement('replace') -%}
            create or replace table {{ target }} as
            select {{ names | join(', ') }} from {{ news }}
            where _is_made
            union all
            select {{ names | join(', ') }} from {{ target }}
            where {{ key }} not in (select _before from {{ news }} where _before is not null)
        {%- endcall -%}
    {%- elif count[0] -%}
        {%- call statement('write') -%}
            delete from {{ target }} where {{ key }} in (select _before from {{ news }});
            insert into {{ target }} ({{ names | join(', ') }})
            select {{ names | join(', ') }} from {{ news }}
            where _is_made
        {%- endcall -%}
    {%- endif -%}
    {%- if count[0] and count[2] and whose() -%}
        {%- do run_query(note_people('select ' ~ whose() ~ ' from ' ~ news ~ ' union select _whose_before from ' ~ news)) -%}
    {%- endif -%}
    {%- do run_query('drop table ' ~ news) -%}
{%- endmacro %}

{# Name (quoted) and type of each column of a relation or a select, in order. #}
{% macro columns_of(what) -%}
    {%- set columns = [] -%}
    {%- for row in run_query('describe ' ~ what).rows -%}
        {%- do columns.append([adapter.quote(row[0] | string), row[1] | string]) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
