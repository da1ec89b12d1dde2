with by_source as (
    select * from {{ ref('int_identifiers_by_source') }}
),

blocked_values as (
    select * from {{ ref('identity_blocked_values') }}
),

identifiers as (
    select
        identifier_type,
        identifier,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        min(first_landed_at) as first_landed_at,
        min_by(first_event_at, (first_landed_at, first_event_at)) as first_event_at,
        min_by(source, (first_landed_at, first_event_at, source)) as first_source,
        sum(observations) as observations
    from by_source
    group by identifier_type, identifier
),

blocked as (
    select
        identifiers.identifier_type,
        identifiers.identifier,
        min(blocked_values.reason) as reason
    from identifiers
    join blocked_values
        on blocked_values.identifier_type in ('*', identifiers.identifier_type)
        and regexp_matches(lower(identifiers.identifier), blocked_values.pattern)
    group by identifiers.identifier_type, identifiers.identifier
)

select
    identifiers.*,
    blocked.reason as blocked_reason
from identifiers
left join blocked using (identifier_type, identifier)
