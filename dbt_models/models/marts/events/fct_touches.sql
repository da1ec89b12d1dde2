{%- set redo = changed_events('profile_id', as_of_now=true, upstream=[ref('int_arrivals')]) -%}

with arrivals as (
    select * from {{ ref('int_arrivals') }}
    where {{ redo.mine }}
),

first_events as (
    select
        profile_id,
        min(occurred_at) as occurred_at,
        min_by(event_id, (occurred_at, event_id)) as event_id,
        min_by(source, (occurred_at, event_id)) as source,
        -- min_by would pass over an event without a page
        nullif(min_by(coalesce(page_url, ''), (occurred_at, event_id)), '') as page_url
    from {{ redo.events }}
    where {{ redo.wanted }} and profile_id is not null and not is_bot and occurred_at <= {{ as_of() }}
    group by profile_id
),

-- whose first event is on the site and has no sign of another place came straight
direct as (
    select first_events.*
    from first_events
    left join arrivals using (event_id)
    where first_events.source in ('web', 'forms') and arrivals.event_id is null
),

touches as (
    select
        event_id, profile_id, channel, occurred_at, utm_source, utm_medium, utm_campaign, utm_term, utm_content, referrer_host, qr_scene, page_url
    from arrivals
    union all
    select event_id, profile_id, 'direct', occurred_at, null, null, null, null, null, null, null, page_url
    from direct
)

select
    event_id as touch_id,
    profile_id,
    channel,
    occurred_at as touched_at,
    utm_source,
    utm_medium,
    utm_campaign,
    utm_term,
    utm_content,
    referrer_host,
    qr_scene,
    page_url,
    row_number() over (partition by profile_id order by occurred_at, event_id) = 1 as is_first_touch,
    row_number() over (partition by profile_id order by occurred_at desc, event_id desc) = 1 as is_last_touch,
    {{ redo.stamp }}
from touches
