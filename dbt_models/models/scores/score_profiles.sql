select
    model || ':' || profile_id as profile_score_id,
    model,
    profile_id,
    score,
    band,
    grade,
    last_event_at,
    {{ as_of() }} as scored_at
from {{ ref('int_score_profiles') }}
