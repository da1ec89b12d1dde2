with profiles as (
    select * from {{ ref('dim_profiles') }}
),

consent as (
    select * from {{ ref('consent_state') }}
    where channel = 'email' and purpose = 'newsletter'
)

select
    profiles.profile_id,
    profiles.language,
    consent.since as subscribed_at,
    'newsletter granted (' || consent.source || ')' as reason
from profiles
join consent using (profile_id)
where
    -- asked for it, and did not take it back
    consent.status = 'granted'
    and profiles.email is not null
    and not profiles.is_test
