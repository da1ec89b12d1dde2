{#
People's identifiers as they were known at the moment of the build, to select from: those that had been seen, and when they had been seen
last. A clock that runs ahead does not tell: what it saw counts from when it was first seen, for "now" would be another with every build.
#}
{% macro identifiers_known() -%}
    (
        select bridge.* replace (
            coalesce(by_then.last_seen_at, case when bridge.last_seen_at <= {{ as_of() }} then bridge.last_seen_at else bridge.first_seen_at end) as last_seen_at
        )
        from {{ ref('bridge_profile_identifiers') }} as bridge
        left join (
            select identifier_type, identifier, max(last_seen_at) as last_seen_at
            from {{ ref('int_identifiers_by_then') }}
            group by identifier_type, identifier
        ) as by_then using (identifier_type, identifier)
        where bridge.first_seen_at <= {{ as_of() }}
    )
{%- endmacro %}
