with profiles as (
    select * from {{ ref('dim_profiles') }}
),

consent as (
    select * from {{ ref('consent_state') }}
    where channel = 'sms' and purpose = 'promotion' and topic = 'all'
)

select
    profiles.profile_id,
    consent.since as consented_at,
    'promotion by SMS granted (' || consent.source || ')' as reason
from profiles
join consent using (profile_id)
where
    consent.status = 'granted'
    -- the SMS provider takes Chinese mobile numbers only
    and profiles.phone like '+861%'
    and not profiles.is_test
