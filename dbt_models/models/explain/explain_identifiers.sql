with identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

edges as (
    select * from {{ ref('int_identity_edges') }}
),

dropped as (
    select * from {{ ref('int_identity_dropped_edges') }}
),

rules as (
    select * from {{ ref('identity_rules') }}
),

joined as (
    select left_key as identifier_key, right_key as other_key, rule, source, evidence, first_seen_at, last_seen_at from edges
    union all
    select right_key, left_key, rule, source, evidence, first_seen_at, last_seen_at from edges
),

refused as (
    select left_type as identifier_type, left_identifier as identifier, right_type as other_type, right_identifier as other_identifier,
        rule, source, evidence, reason, first_seen_at, last_seen_at
    from dropped
    union all
    select right_type, right_identifier, left_type, left_identifier, rule, source, evidence, reason, first_seen_at, last_seen_at
    from dropped
),

alone as (
    select identifiers.*
    from identifiers
    left join joined on identifiers.identifier_key = joined.identifier_key
    where joined.identifier_key is null
)

select
    one.profile_id,
    one.identifier_type,
    one.identifier,
    other.identifier_type as other_type,
    other.identifier as other_identifier,
    'joined' as verdict,
    joined.rule,
    rules.description as reason,
    joined.source,
    joined.evidence,
    joined.first_seen_at,
    joined.last_seen_at
from joined
join identifiers as one on joined.identifier_key = one.identifier_key
join identifiers as other on joined.other_key = other.identifier_key
left join rules on joined.rule = rules.rule
union all
select
    one.profile_id,
    one.identifier_type,
    one.identifier,
    refused.other_type,
    refused.other_identifier,
    'not joined',
    refused.rule,
    refused.reason,
    refused.source,
    refused.evidence,
    refused.first_seen_at,
    refused.last_seen_at
from refused
join identifiers as one on refused.identifier_type = one.identifier_type and refused.identifier = one.identifier
union all
select
    profile_id,
    identifier_type,
    identifier,
    null,
    null,
    'alone',
    null,
    'nothing joins it with another',
    source,
    null,
    first_seen_at,
    last_seen_at
from alone
