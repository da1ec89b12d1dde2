{#
Where rows were deleted, DuckDB moves the others together when the file is closed: half of what closing takes, though each build leaves only
a few gaps. The first build of a day does it, the others of that day leave the gaps.
#}
{% macro tidy_once_a_day() -%}
    {{ return(adapter.dispatch('tidy_once_a_day')()) }}
{%- endmacro %}

{% macro default__tidy_once_a_day() -%}
{%- endmacro %}

{% macro duckdb__tidy_once_a_day() -%}
    {%- set sets = ref('int_event_sets') -%}
    {%- if execute and flags.WHICH in ('run', 'build') and load_relation(sets) is not none -%}
        {#- The row that says which moment the build before spoke about. Compared as texts: DuckDB may look at what other rows say there as well,
            whatever else is asked of a row, and that is no moment. -#}
        {%- set today = run_query("
            select count(*) from " ~ sets ~ "
            where profile_id = '' and visitor_key = 0 and fingerprint >= cast(date_trunc('day', " ~ as_of() ~ ") as varchar)").rows[0][0] -%}
        {%- if today -%}
            {%- do run_query('set global max_vacuum_tasks = 0') -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
