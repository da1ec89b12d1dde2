{#
Makes `target` of what the model says, in the order of `column`, a span of it after the other, as `find_spans` found them.

DuckDB sorts a table that is larger than its memory on disk, which takes it long, and now and then it finds that all of its memory is in use, and
fails. A span is sorted in memory.
#}
{% macro write_in_order(target, column) -%}
    {%- set existing = load_cached_relation(target) -%}
    {{- run_hooks(pre_hooks, inside_transaction=False) -}}
    {{- run_hooks(pre_hooks, inside_transaction=True) -}}
    {%- if existing is not none and existing.type != 'table' -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- set ends = run_query('select cast(ends_at as varchar) from ' ~ model.name ~ '_spans order by ends_at').columns[0].values() | list -%}
    {%- for number in range(ends | length + 1) -%}
        {%- set after = column ~ " > '" ~ ends[number - 1] ~ "'" if number else 'true' -%}
        {#- The last one takes what has no place in the order as well. -#}
        {%- set until = column ~ " <= '" ~ ends[number] ~ "'" if number < ends | length else 'true or ' ~ column ~ ' is null' -%}
        {%- call statement('main') -%}
            {{ 'insert into ' ~ target if number else 'create or replace table ' ~ target ~ ' as' }}
            select * from (
                {{ sql }}
            ) as made
            where {{ after }} and {{ until }}
            order by {{ column }}
        {%- endcall -%}
    {%- endfor -%}
    {%- do note_everybody() -%}
    {{ return(committed(target)) }}
{%- endmacro %}

{#
Finds where each span of `column` but the last ends, so that each has some `at_once` of the rows that this model, made as a whole, takes from `relations`.
#}
{% macro find_spans(column, relations, at_once=4000000) -%}
    {%- if execute and adapter.type() == 'duckdb' and model.resource_type != 'unit_test' and flags.WHICH in ('run', 'build') and not is_incremental() -%}
        {%- set counts, columns = [], [] -%}
        {%- for relation in relations -%}
            {%- do counts.append('(select count(*) from ' ~ relation ~ ')') -%}
            {%- do columns.append('select ' ~ column ~ ' from ' ~ relation) -%}
        {%- endfor -%}
        {%- set spans = (run_query('select ' ~ counts | join(' + ')).rows[0][0] | int / at_once) | round(0, 'ceil') | int -%}
        {%- set shares = [] -%}
        {%- for span in range(1, spans) -%}
            {%- do shares.append(span / spans) -%}
        {%- endfor -%}
        {%- do create_temporary(model.name ~ '_spans', 'select distinct unnest(approx_quantile(' ~ column ~ ', cast(' ~ shares ~ ' as float[]))) as ends_at
            from (' ~ columns | join(' union all ') ~ ')') -%}
    {%- endif -%}
{%- endmacro %}
