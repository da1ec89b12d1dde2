with profiles as (
    select * from {{ ref('dim_profiles') }}
),

leads as (
    select * from {{ ref('segment_hot_leads') }}
)

select
    profiles.profile_id,
    profiles.email,
    profiles.full_name,
    profiles.company,
    profiles.country,
    profiles.language,
    profiles.lifecycle_stage,
    leads.score as engagement_score
from profiles
join leads using (profile_id)
