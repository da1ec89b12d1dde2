with checkins as (
    select * from {{ ref('stg_offline__checkins') }}
)

select
    'offline' as source,
    'offline_checkin' as rule,
    checkin_id as evidence,
    checked_in_at as observed_at,
    {{ identifier_columns(email='email', phone='phone') }},
    _batch_id,
    _landed_at
from checkins
