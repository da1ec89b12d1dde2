{%- set redo = changed_events(
    'visitor_key',
    as_of_now=true,
    settings=[var('session_pause_minutes') | string, var('session_ends_at_midnight') | string, var('session_ends_with_campaign') | string],
    upstream=[ref('int_arrivals')]
) -%}

with arrivals as (
    select event_id, channel, referrer_host from {{ ref('int_arrivals') }}
),

visits as (
    select
        events.*,
        -- a device has its sessions before it is known whose it is, and keeps them
        coalesce(events.device_key, events.identifier_key) as visitor_key,
        coalesce(events.utm_source, '') || '|' || coalesce(events.utm_medium, '') || '|' || coalesce(events.utm_campaign, '') as campaign,
        arrivals.channel as arrival_channel,
        arrivals.referrer_host
    from {{ redo.events }} as events
    -- here, where they are the smaller side: what comes out of the windows below is too much to keep in memory for a join
    left join arrivals using (event_id)
    where
        {{ redo.wanted }}
        and events.source = 'web'
        and not events.is_bot
        and coalesce(events.device_key, events.identifier_key) is not null
),

followed as (
    select
        *,
        lag(occurred_at) over (partition by visitor_key order by occurred_at, event_id) as previous_at,
        -- pages inside the site carry no campaign: the last one that was named still counts
        lag(case when campaign <> '||' then campaign end ignore nulls) over (partition by visitor_key order by occurred_at, event_id) as previous_campaign
    from visits
),

begun as (
    select
        *,
        previous_at is null
        or occurred_at > previous_at + interval '1 minute' * {{ var('session_pause_minutes') }}
        {%- if var('session_ends_at_midnight') %}
        or cast(occurred_at as date) > cast(previous_at as date)
        {%- endif %}
        {%- if var('session_ends_with_campaign') %}
        or (campaign <> '||' and campaign is distinct from previous_campaign)
        {%- endif %} as is_start
    from followed
),

numbered as (
    select
        *,
        sum(is_start::int) over (partition by visitor_key order by occurred_at, event_id rows unbounded preceding) as session_number,
        row_number() over (partition by visitor_key order by occurred_at, event_id) as place
    from begun
)

select
    's_' || left(md5(min_by(event_id, place)), 16) as session_id,
    visitor_key,
    session_number,
    min(profile_id) as profile_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    date_diff('second', min(occurred_at), max(occurred_at)) as seconds,
    count(*) as events,
    count(*) filter (where event_name in ('Page Viewed', 'Screen Viewed')) as pages,
    count(*) = 1 as is_bounce,
    min_by(page_url, place) as landing_page,
    max_by(page_url, place) as exit_page,
    coalesce(min_by(arrival_channel, place), 'direct') as channel,
    min_by(utm_source, place) as utm_source,
    min_by(utm_medium, place) as utm_medium,
    min_by(utm_campaign, place) as utm_campaign,
    min_by(referrer_host, place) as referrer_host,
    {{ redo.stamp }}
from numbered
group by visitor_key, session_number
