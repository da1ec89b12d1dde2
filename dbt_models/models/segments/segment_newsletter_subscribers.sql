with profiles as (
    select * from {{ ref('dim_profiles') }}
),

consent as (
    select
        profile_id,
        min(since) as since,
        min_by(source, since) as source
    from {{ ref('consent_state') }}
    where
        channel = 'email'
        and purpose = 'newsletter'
        -- asked for it, or for a topic of it, and did not take it back; who gets which topic, the gate knows
        and status = 'granted'
    group by profile_id
)

select
    profiles.profile_id,
    profiles.language,
    consent.since as subscribed_at,
    'newsletter granted (' || consent.source || ')' as reason
from profiles
join consent using (profile_id)
where
    profiles.email is not null
    and not profiles.is_test
