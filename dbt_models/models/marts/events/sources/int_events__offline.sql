with checkins as (
    select * from {{ ref('stg_offline__checkins') }}
)

select
    {{ event_columns(
        event_id="'offline:' || checkin_id",
        record_key="'offline:' || checkin_id",
        source="'offline'",
        channel="'offline'",
        event_name="'Event Checked In'",
        occurred_at='checked_in_at',
        identifier_type=strongest_type(['email', 'phone']),
        identifier='coalesce(email, phone)',
        object_id='event_id',
        object_name='event_name'
    ) }}
from checkins
