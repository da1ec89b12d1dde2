with attendance as (
    select * from {{ ref('stg_webinar__attendance') }}
),

moments as (
    select *, 'Webinar Registered' as event_name, registered_at as occurred_at from attendance
    union all
    select *, 'Webinar Attended', joined_at from attendance
    where joined_at is not null
)

select
    {{ event_columns(
        event_id="'webinar:' || attendance_id || ':' || event_name",
        record_key="'webinar:' || attendance_id",
        source="'webinar'",
        channel="'webinar'",
        event_name='event_name',
        occurred_at='occurred_at',
        identifier_type="'email'",
        identifier='email',
        object_id='webinar_id',
        object_name='webinar_title',
        value="case when event_name = 'Webinar Attended' then watch_seconds end"
    ) }}
from moments
