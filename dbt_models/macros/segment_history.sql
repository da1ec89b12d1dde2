{#
Who came into and went out of segments, up to the last build, to select from: a segment that asks how long somebody has been in another
one cannot wait for the changes of this build, which wait for it. Empty before the first build.
#}
{% macro segment_history() -%}
    {%- set relation = adapter.get_relation(database=target.database, schema='segments', identifier='segment_changes') if execute else none -%}
    {%- if relation is not none -%}
        {{ relation }}
    {%- else -%}
        (
            select
                cast(null as varchar) as segment, cast(null as varchar) as profile_id, cast(null as varchar) as change,
                cast(null as bigint) as change_number, cast(null as timestamp) as changed_at
            where false
        )
    {%- endif -%}
{%- endmacro %}
