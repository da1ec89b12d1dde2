with transitions as (
    select * from {{ ref('fct_lifecycle_transitions') }}
),

stages as (
    select * from {{ ref('lifecycle_stages') }}
),

profiles as (
    select * from {{ ref('int_profile_people') }}
    where not is_machine
),

ways as (
    select
        transitions.profile_id,
        max(case when not stages.is_setback then stages.rank end) as furthest_rank,
        min(case when stages.rank >= 2 then transitions.transitioned_at end) as lead_since,
        min(case when transitions.to_stage = 'customer' then transitions.transitioned_at end) as customer_since,
        count(*) filter (where stages.is_setback) as setbacks
    from transitions
    join stages on transitions.to_stage = stages.stage
    group by transitions.profile_id
),

now as (
    select transitions.*, stages.rank
    from transitions
    join stages on transitions.to_stage = stages.stage
    where transitions.left_at is null
)

select
    profiles.profile_id,
    coalesce(now.to_stage, 'visitor') as stage,
    coalesce(now.rank, 0) as stage_rank,
    coalesce(now.transitioned_at, profiles.first_seen_at) as since,
    now.from_stage as previous_stage,
    coalesce(furthest.stage, 'visitor') as furthest_stage,
    ways.lead_since,
    ways.customer_since,
    coalesce(ways.setbacks, 0) as setbacks,
    now.source,
    now.evidence
from profiles
left join now using (profile_id)
left join ways using (profile_id)
left join stages as furthest on ways.furthest_rank = furthest.rank and not furthest.is_setback
