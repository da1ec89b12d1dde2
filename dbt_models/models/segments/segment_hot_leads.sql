with profiles as (
    select * from {{ ref('dim_profiles') }}
),

scores as (
    select * from {{ ref('score_engagement') }}
)

select
    profiles.profile_id,
    profiles.lifecycle_stage,
    scores.score,
    scores.grade,
    scores.last_event_at,
    'engagement ' || scores.score || ' (' || scores.grade || ') as ' || profiles.lifecycle_stage as reason
from profiles
join scores using (profile_id)
where
    -- somebody sales can still win
    profiles.lifecycle_stage in ('lead', 'mql', 'sql')
    -- warm
    and scores.grade in ('A', 'B')
    -- and was here lately
    and scores.last_event_at >= {{ as_of() }} - interval '14 days'
    and not profiles.is_test
