with checkins as (
    {{ unpack(source('raw', 'offline_checkins'), {
        'event_id': 'event_id',
        'event_name': 'event_name',
        'city': 'city',
        'phone': 'phone',
        'email': 'email',
        'full_name': 'full_name',
        'booth': 'booth',
        'checked_in_text': 'checked_in_at'
    }) }}
)

select
    -- the landed key has phone and address in it, and ids turn up where personal data must not
    md5(_event_id) as checkin_id,
    event_id,
    event_name,
    city,
    {{ phone_number('phone') }} as phone,
    {{ email_address('email') }} as email,
    full_name,
    booth,
    coalesce({{ utc_timestamp('checked_in_text') }}, _landed_at) as checked_in_at,
    _batch_id,
    _landed_at
from checkins
