with profiles as (
    select * from {{ ref('dim_profiles') }}
    where not is_test
),

stages as (
    select * from {{ ref('lifecycle_stages') }}
),

ranked as (
    select
        profiles.origin_system,
        profiles.first_touch_channel as channel,
        stages.rank
    from profiles
    -- who was handed back did get there
    join stages on profiles.furthest_stage = stages.stage
),

counted as (
    select
        origin_system,
        channel,
        count(*) as profiles,
        count(*) filter (where rank >= 1) as subscribers,
        count(*) filter (where rank >= 2) as leads,
        count(*) filter (where rank >= 3) as mqls,
        count(*) filter (where rank >= 4) as sqls,
        count(*) filter (where rank >= 5) as opportunities,
        count(*) filter (where rank >= 6) as won
    from ranked
    group by origin_system, channel
)

select
    origin_system || ':' || channel as funnel_id,
    *,
    case when leads > 0 then won / leads end as lead_to_won_rate
from counted
