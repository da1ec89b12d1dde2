{%- set blocked = fingerprint(ref('identity_blocked_values')) -%}
{%- set since = taken_up_to(ref('int_identifiers_by_source'), rules=blocked) -%}

with by_source as (
    select * from {{ ref('int_identifiers_by_source') }}
    {% if since %}
    where (identifier_type, identifier) in (
        select (identifier_type, identifier) from {{ ref('int_identifiers_by_source') }} where _written_at > {{ since }}
    )
    {% endif %}
),

identifiers as (
    select
        identifier_type,
        identifier,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        min(first_landed_at) as first_landed_at,
        min_by(first_event_at, (first_landed_at, first_event_at)) as first_event_at,
        -- a consent is a by-product of being somewhere: the place itself says more about where somebody is from
        min_by(source, (source = 'consent', first_landed_at, first_event_at, source)) as first_source,
        cast(sum(observations) as bigint) as observations
    from by_source
    group by identifier_type, identifier
)

select
    *,
    {{ reason_by_pattern(ref('identity_blocked_values'), 'lower(identifier)') }} as blocked_reason,
    '{{ blocked }}' as _rules,
    {{ come_to(ref('int_identifiers_by_source')) }} as _taken_at,
    {{ written_at() }} as _written_at
from identifiers
