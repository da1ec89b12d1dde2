with attendance as (
    {{ unpack(source('raw', 'webinar_attendance'), {
        'webinar_id': 'webinar_id',
        'webinar_title': 'webinar_title',
        'email': 'email',
        'full_name': 'full_name',
        'registered_text': 'registered_at',
        'joined_text': 'joined_at',
        'left_text': 'left_at',
        'watch_seconds': 'watch_seconds',
        'questions': 'questions'
    }) }}
)

select
    -- hashed, because ids turn up where personal data must not
    md5(coalesce(webinar_id || '|' || lower(trim(email)), _event_id)) as attendance_id,
    webinar_id,
    webinar_title,
    {{ email_address('email') }} as email,
    full_name,
    coalesce({{ utc_timestamp('registered_text') }}, _landed_at) as registered_at,
    {{ utc_timestamp('joined_text') }} as joined_at,
    {{ utc_timestamp('left_text') }} as left_at,
    try_cast(watch_seconds as bigint) as watch_seconds,
    questions,
    _batch_id,
    _landed_at
from attendance
qualify {{ latest_version('attendance_id', 'coalesce(left_at, joined_at, registered_at)') }}
