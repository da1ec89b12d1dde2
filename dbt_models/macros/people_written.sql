{#
Whom dim_profiles is made again for, where the warehouse is DuckDB: it is made of a dozen tables, and an hour's news are of few people.

Each of those tables names in its meta, as `whose`, the column that tells a person: profile_id or profile_key. Of whom it writes or takes out a row it
writes down here, in the transaction in which it does so; where it cannot tell, that it may be everybody (an empty profile_id).
dim_profiles takes all of it out in the transaction in which it writes its own rows. So whatever breaks off in between is made up for by the next build.

Where it reads anything else than such tables and seeds, everybody is made again at every build.
#}
{% macro people_written() -%}
    {{ return(api.Relation.create(database=target.database, schema=generate_schema_name('identity', none) | trim, identifier='int_people_written')) }}
{%- endmacro %}

{# Said at the start of a build: models that run side by side cannot both make it. #}
{% macro have_people_written() -%}
    {%- if execute and flags.WHICH in ('run', 'build') and adapter.type() == 'duckdb' -%}
        {%- do run_query('create schema if not exists ' ~ people_written().without_identifier()) -%}
        {%- do run_query('create table if not exists ' ~ people_written() ~ ' (profile_id varchar, profile_key bigint)') -%}
    {%- endif -%}
{%- endmacro %}

{# The column that tells whose rows this model has, where dim_profiles is made of it; else none. #}
{% macro whose() -%}
    {{ return(config.get('meta', {}).get('whose') if adapter.type() == 'duckdb' else none) }}
{%- endmacro %}

{# A statement that notes those whom `keys`, a select of a column `whose`, names; nothing where dim_profiles is not made of this model. #}
{% macro note_people(keys) -%}
    {%- if whose() -%}
        insert into {{ people_written() }} ({{ whose() }})
        select {{ whose() }} from ({{ keys }}) as keys
        where {{ whose() }} is not null
    {%- endif -%}
{%- endmacro %}

{% macro note_everybody() -%}
    {%- if whose() and execute -%}
        {%- do run_query('insert into ' ~ people_written() ~ " (profile_id) values ('')") -%}
    {%- endif -%}
{%- endmacro %}

{# The condition by which a model is made for some people only, and its text without it. #}
{% macro people_wanted() -%}
    {{ return('profile_id in (select profile_id from ' ~ model.name ~ '_wanted)') }}
{%- endmacro %}

{% macro for_everybody(text) -%}
    {{ return(text | replace(people_wanted(), 'true')) }}
{%- endmacro %}

{#
For dim_profiles, with the relation that has all people: a condition on their profile_id, true for everybody where it cannot be told who it is, or where
it was made by other words, by other rows of a seed or on another day. `take_people` has to follow.
#}
{% macro people_to_make_again(people) -%}
    {%- if not (execute and model.resource_type != 'unit_test' and flags.WHICH in ('run', 'build') and adapter.type() == 'duckdb') -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set basis = people_basis() -%}
    {#- replace_all makes it for everybody; other ways of making a table do not know of this one. -#}
    {%- if existing is none or existing.type != 'table' or config.get('materialized') != 'table' or asks_for_more() or should_full_refresh() or not basis -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set written = people_written() -%}
    {%- set said = run_query("
        select
            bool_or(profile_id = '') is not true and bool_or(profile_id = '" ~ basis ~ "') is true,
            count(distinct coalesce(profile_id, cast(profile_key as varchar))) < (select count(*) / 2 from " ~ people ~ ")
        from " ~ written).rows[0] -%}
    {%- if not (said[0] and said[1]) -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set by_key -%} (select profile_key from {{ written }} where profile_key is not null) {%- endset -%}
    {%- do create_temporary(model.name ~ '_wanted', '
        select profile_id from ' ~ written ~ ' where profile_id is not null
        union select profile_id from ' ~ people ~ ' where profile_key in ' ~ by_key ~ '
        union select profile_id from ' ~ this ~ ' where profile_key in ' ~ by_key) -%}
    {{ return(people_wanted()) }}
{%- endmacro %}

{# What dim_profiles is made by, but for the tables whose rows are written down, in the form that is kept among the people. None where that is not all. #}
{% macro people_basis() -%}
    {%- set texts = [own_words(), run_query('select cast(cast(' ~ as_of() ~ ' as date) as varchar)').rows[0][0]] -%}
    {%- for parent in model.depends_on.nodes | sort -%}
        {%- set node = graph.nodes[parent] if parent in graph.nodes else {'resource_type': 'source'} -%}
        {%- if node.resource_type == 'seed' -%}
            {%- do texts.append(fingerprint(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias))) -%}
        {%- elif node.resource_type != 'model' or not node.config.get('meta', {}).get('whose') or node.config.materialized not in ('table', 'incremental') -%}
            {{ return(none) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return('made by ' ~ local_md5(texts | join('|'))) }}
{%- endmacro %}

{# A statement that takes out all people: this model has made them. #}
{% macro take_people() -%}
    {%- if execute and adapter.type() == 'duckdb' -%}
        delete from {{ people_written() }};
        insert into {{ people_written() }} (profile_id) values ('{{ people_basis() or '' }}')
    {%- endif -%}
{%- endmacro %}
