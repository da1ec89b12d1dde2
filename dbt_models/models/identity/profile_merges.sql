with identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

edges as (
    select * from {{ ref('int_identity_edges') }}
),

ties as (
    select left_key as identifier_key, right_key as other_key, rule, evidence, first_seen_at from edges
    union all
    select right_key, left_key, rule, evidence, first_seen_at from edges
),

first_ties as (
    select
        identifier_key,
        arg_min(rule, (first_seen_at, rule, other_key, evidence)) as rule,
        arg_min(evidence, (first_seen_at, rule, other_key, evidence)) as edge,
        min(first_seen_at) as merged_at
    from ties
    group by identifier_key
)

select
    identifiers.own_profile_id as previous_id,
    identifiers.profile_id,
    first_ties.rule,
    first_ties.edge,
    first_ties.merged_at
from identifiers
join first_ties using (identifier_key)
-- the identifier that landed first still gives the person its id
where identifiers.own_profile_id <> identifiers.profile_id
