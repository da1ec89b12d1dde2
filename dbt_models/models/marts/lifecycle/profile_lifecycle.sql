with evidence as (
    select * from {{ ref('int_lifecycle_evidence') }}
    where occurred_at <= {{ as_of() }}
),

stages as (
    select * from {{ ref('lifecycle_stages') }}
),

profiles as (
    select * from {{ ref('int_profile_people') }}
),

reached as (
    select
        evidence.*,
        stages.rank,
        row_number() over (
            partition by evidence.profile_id
            -- the furthest stage counts, from the first time it was reached: nothing sets a stage back silently
            order by stages.rank desc, evidence.occurred_at, evidence.evidence
        ) as place,
        min(case when stages.rank >= 2 then evidence.occurred_at end) over (partition by evidence.profile_id) as lead_since,
        min(case when evidence.stage = 'customer' then evidence.occurred_at end) over (partition by evidence.profile_id) as customer_since
    from evidence
    join stages using (stage)
)

select
    profiles.profile_id,
    coalesce(reached.stage, 'visitor') as stage,
    coalesce(reached.rank, 0) as stage_rank,
    coalesce(reached.occurred_at, profiles.first_seen_at) as since,
    reached.lead_since,
    reached.customer_since,
    reached.source,
    reached.evidence
from profiles
left join reached
    on profiles.profile_id = reached.profile_id
    and reached.place = 1
