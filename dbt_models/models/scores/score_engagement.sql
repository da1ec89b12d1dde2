with scores as (
    select * from {{ ref('score_profiles') }}
)

select
    profile_id,
    score,
    band as grade,
    last_event_at,
    scored_at
from scores
where
    model = 'engagement'
    -- being inactive counts too, but only for who was ever active
    and last_event_at is not null
