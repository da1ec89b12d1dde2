{%- set redo = changed_events(
    'visitor_key',
    as_of_now=true,
    settings=[var('session_pause_minutes') | string, var('session_ends_at_midnight') | string, var('session_ends_with_campaign') | string],
    upstream=[ref('int_arrivals')]
) -%}

with visits as (
    select
        *,
        -- a device has its sessions before it is known whose it is, and keeps them
        coalesce(device_key, identifier_key) as visitor_key,
        coalesce(utm_source, '') || '|' || coalesce(utm_medium, '') || '|' || coalesce(utm_campaign, '') as campaign
    from {{ redo.events }}
    where
        {{ redo.wanted }}
        and source = 'web'
        and not is_bot
        and coalesce(device_key, identifier_key) is not null
),

arrivals as (
    select * from {{ ref('int_arrivals') }}
    {% if redo.is_part %} where event_id in (select event_id from visits) {% endif %}
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
        sum(is_start::int) over (partition by visitor_key order by occurred_at, event_id rows unbounded preceding) as session_number
    from begun
)

select
    's_' || left(md5(min_by(numbered.event_id, (numbered.occurred_at, numbered.event_id))), 16) as session_id,
    numbered.visitor_key,
    numbered.session_number,
    min(numbered.profile_id) as profile_id,
    min(numbered.occurred_at) as started_at,
    max(numbered.occurred_at) as ended_at,
    date_diff('second', min(numbered.occurred_at), max(numbered.occurred_at)) as seconds,
    count(*) as events,
    count(*) filter (where numbered.event_name in ('Page Viewed', 'Screen Viewed')) as pages,
    count(*) = 1 as is_bounce,
    min_by(numbered.page_url, (numbered.occurred_at, numbered.event_id)) as landing_page,
    max_by(numbered.page_url, (numbered.occurred_at, numbered.event_id)) as exit_page,
    coalesce(min_by(arrivals.channel, (numbered.occurred_at, numbered.event_id)), 'direct') as channel,
    min_by(numbered.utm_source, (numbered.occurred_at, numbered.event_id)) as utm_source,
    min_by(numbered.utm_medium, (numbered.occurred_at, numbered.event_id)) as utm_medium,
    min_by(numbered.utm_campaign, (numbered.occurred_at, numbered.event_id)) as utm_campaign,
    min_by(arrivals.referrer_host, (numbered.occurred_at, numbered.event_id)) as referrer_host,
    {{ redo.stamp }}
from numbered
left join arrivals using (event_id)
group by numbered.visitor_key, numbered.session_number
