{#
For incremental models that are made of incremental models, and take from those only what was written since they last did.

A row says in `_written_at` when it was written, and in `_taken_at` how far the model it is made of had come then. Both are moments of
the warehouse's builder, one after the other, so a build that broke off between two models loses nothing: the second finds the rows
next time. A model whose source was made anew, or whose rules are others, starts over.
#}

{# Whether rows are being added to what this model has. A unit test of a model that has some says itself what there is. #}
{% macro is_added_to() -%}
    {{ return(execute and model.resource_type != 'unit_test' and flags.WHICH in ('run', 'build') and is_incremental()) }}
{%- endmacro %}

{# When the rows of this model that are being made are written: after all that it has. #}
{% macro written_at() -%}
    {%- set now = "cast('" ~ modules.datetime.datetime.now(modules.pytz.utc).strftime('%Y-%m-%d %H:%M:%S.%f') ~ "' as timestamp)" -%}
    {%- if is_added_to() -%}
        coalesce((select greatest(max(_written_at) + interval '1 microsecond', {{ now }}) from {{ this }}), {{ now }})
    {%- else -%}
        {{ now }}
    {%- endif -%}
{%- endmacro %}

{# How far `relation` has come. #}
{% macro come_to(relation) -%}
    (select max(_written_at) from {{ relation }})
{%- endmacro %}

{#
How far this model has taken `relation`, as a timestamp to compare its `_written_at` with; none where it takes all of it, into an empty
table: what the model has is deleted, or with `leave=false` left for the model itself to delete together with what takes its place.
`rules`: a fingerprint of what else the rows depend on, kept in `_rules`.
#}
{% macro taken_up_to(relation, column='_taken_at', rules=none, leave=true) -%}
    {%- if not is_added_to() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set ours = run_query('select cast(max(' ~ column ~ ') as varchar)' ~ (', min(_rules), max(_rules)' if rules else '') ~ ' from ' ~ this).rows[0] -%}
    {%- set taken = "cast('" ~ ours[0] ~ "' as timestamp)" -%}
    {%- if ours[0] is not none and (not rules or (ours[1] == rules and ours[2] == rules)) -%}
        {%- set source = run_query('select min(_written_at) <= ' ~ taken ~ ' and max(_written_at) >= ' ~ taken ~ ' from ' ~ relation).rows[0] -%}
        {%- if source[0] -%}
            {{ return(taken) }}
        {%- endif -%}
    {%- endif -%}
    {%- if leave -%}
        {%- do run_query('delete from ' ~ this) -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#
For a model whose rows are made again only for some: a condition on `key`, true for all that is made. Where rows are being added, those whose
rows give way are in the temporary table that `leave_changed` takes out of the model: where it `is_part` of all, those whom `changed` (a select
of `key`) names, else everybody.
#}
{% macro made_again(key, is_part, changed) -%}
    {%- if is_added_to() -%}
        {%- do create_temporary(model.name ~ '_changed', changed if is_part else 'select ' ~ key ~ ' from ' ~ this) -%}
    {%- endif -%}
    {{ return(key ~ ' in (select ' ~ key ~ ' from ' ~ model.name ~ '_changed)' if is_part else 'true') }}
{%- endmacro %}

{# A table from before its rows said when they were written gets the column. #}
{% macro say_when_written() -%}
    {%- do have_columns({'_written_at': 'timestamp'}) -%}
{%- endmacro %}

{# A table from before this model had these columns (name: type) gets them, empty. #}
{% macro have_columns(columns) -%}
    {%- if is_added_to() -%}
        {%- set there = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
        {%- for name, type in columns.items() if name not in there -%}
            {%- do run_query('alter table ' ~ this ~ ' add column ' ~ name ~ ' ' ~ type) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#
The words that this model is made by, in 32 characters: its own, and those of the views that it reads. With others it starts over; what
macros say does not count, nor what the tables that it reads are made by.
#}
{% macro own_words() -%}
    {{ return(local_md5(words_behind(model) | trim)) }}
{%- endmacro %}

{% macro words_behind(node) -%}
    {{ node.raw_code }}
    {%- if execute -%}
        {%- for parent in node.depends_on.nodes | sort if parent in graph.nodes and graph.nodes[parent].config.materialized == 'view' -%}
            {{ words_behind(graph.nodes[parent]) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# Empties this model, which takes in batches, where its rows were made by other `rules` (a fingerprint, kept in `_rules`): it takes all anew. #}
{% macro start_over_with_other(rules) -%}
    {%- do have_columns({'_rules': 'varchar'}) -%}
    {%- if is_added_to() -%}
        {%- if run_query("select count(*) from " ~ this ~ " where _rules is distinct from '" ~ rules ~ "'").rows[0][0] -%}
            {%- do run_query('delete from ' ~ this) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# What a seed says, in 32 characters: another where anything in it is changed. #}
{% macro fingerprint(seed) -%}
    {%- set lines = [] -%}
    {%- if execute and model.resource_type != 'unit_test' and flags.WHICH in ('run', 'build') -%}
        {%- for row in run_query('select * from ' ~ seed).rows -%}
            {%- do lines.append(row.values() | map('string') | join('|')) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(local_md5(lines | sort | join('\n'))) }}
{%- endmacro %}
