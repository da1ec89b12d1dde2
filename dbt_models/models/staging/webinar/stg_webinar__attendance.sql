with attendance as (
    {{ unpack(source('raw', 'webinar_attendance'), {
        'webinar_id': 'webinar_id',
        'webinar_title': 'webinar_title',
        'email': 'email',
        'participant': 'participant',
        'full_name': 'full_name',
        'registered_text': 'registered_at',
        'joined_text': 'joined_at',
        'left_text': 'left_at',
        'watch_seconds': 'watch_seconds',
        'questions': 'questions'
    }) }}
),

-- a vendor tells of guests by the id alone that they got when they registered with their address
named as (
    select
        * exclude (email),
        coalesce(nullif(email, ''), max(nullif(email, '')) over (partition by webinar_id, coalesce(participant, _event_id))) as email
    from attendance
),

rows_of_attendance as (
    select
        -- hashed, because ids turn up where personal data must not
        md5(coalesce(webinar_id || '|' || coalesce(lower(trim(email)), participant), _event_id)) as attendance_id,
        * exclude (registered_text, joined_text, left_text, watch_seconds),
        {{ utc_timestamp('registered_text') }} as registered_at,
        {{ utc_timestamp('joined_text') }} as joined_at,
        {{ utc_timestamp('left_text') }} as left_at,
        try_cast(watch_seconds as bigint) as watch_seconds
    from named
),

-- a list says all of somebody's attendance in one row, a vendor's callbacks one part of it in each: what was said last holds, part by part
ordered as (
    select *, row_number() over (order by _landed_at, coalesce(left_at, joined_at, registered_at), _event_id) as place
    from rows_of_attendance
)

select
    attendance_id,
    max_by(webinar_id, place) as webinar_id,
    max_by(webinar_title, place) filter (where webinar_title is not null) as webinar_title,
    {{ email_address('max_by(email, place) filter (where email is not null)') }} as email,
    max_by(full_name, place) filter (where full_name is not null) as full_name,
    coalesce(
        max_by(registered_at, place) filter (where registered_at is not null),
        -- who was there without registering was at the latest known when the webinar began for them
        min(joined_at),
        min(_landed_at)
    ) as registered_at,
    max_by(joined_at, place) filter (where joined_at is not null) as joined_at,
    max_by(left_at, place) filter (where left_at is not null) as left_at,
    coalesce(
        max_by(watch_seconds, place) filter (where watch_seconds is not null),
        date_diff('second', min(joined_at), max(left_at))
    ) as watch_seconds,
    max_by(questions, place) filter (where questions is not null) as questions,
    max_by(_batch_id, place) as _batch_id,
    max(_landed_at) as _landed_at
from ordered
group by attendance_id
