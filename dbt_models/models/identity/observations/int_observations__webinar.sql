with attendance as (
    select * from {{ ref('stg_webinar__attendance') }}
)

select
    'webinar' as source,
    'webinar_attendance' as rule,
    attendance_id as evidence,
    registered_at as observed_at,
    {{ identifier_columns(email='email') }},
    _batch_id,
    _landed_at
from attendance
