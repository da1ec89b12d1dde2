with identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
    -- the identifier that landed first still gives the person its id
    where own_profile_id <> profile_id
),

edges as (
    select * from {{ ref('int_identity_edges') }}
),

ties as (
    select left_key as identifier_key, right_key as other_key, rule, evidence, first_seen_at from edges
    where left_key in (select identifier_key from identifiers)
    union all
    select right_key, left_key, rule, evidence, first_seen_at from edges
    where right_key in (select identifier_key from identifiers)
),

first_ties as (
    select
        identifier_key,
        arg_min(struct_pack(rule := rule, evidence := evidence), (first_seen_at, rule, other_key, evidence)) as tie,
        min(first_seen_at) as merged_at
    from ties
    group by identifier_key
)

select
    identifiers.own_profile_id as previous_id,
    identifiers.profile_id,
    first_ties.tie.rule as rule,
    first_ties.tie.evidence as edge,
    first_ties.merged_at
from identifiers
join first_ties using (identifier_key)
