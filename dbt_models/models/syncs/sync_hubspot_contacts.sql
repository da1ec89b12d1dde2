with profiles as (
    select * from {{ ref('dim_profiles') }}
),

scores as (
    select * from {{ ref('score_engagement') }}
)

select
    profiles.profile_id,
    profiles.email,
    profiles.first_name,
    profiles.last_name,
    profiles.phone,
    profiles.company,
    profiles.title as job_title,
    profiles.city,
    profiles.country,
    -- a stage is not set back over there: that is for sales to do
    case profiles.furthest_stage
        when 'mql' then 'marketingqualifiedlead'
        when 'sql' then 'salesqualifiedlead'
        else profiles.furthest_stage
    end as lifecycle_stage,
    coalesce(scores.score, 0) as engagement_score,
    coalesce(scores.grade, 'D') as engagement_grade,
    profiles.first_touch_channel
from profiles
left join scores using (profile_id)
where
    -- HubSpot knows a contact by the address
    profiles.email is not null
    -- sales has no use for people who only looked around
    and profiles.furthest_stage in ('lead', 'mql', 'sql', 'opportunity', 'customer')
    and profiles.origin_system <> 'olist'
    and not profiles.is_test
