with events as (
    select
        *,
        {{ url_host('referrer') }} as referrer_host,
        {{ url_host('page_url') }} as page_host
    from {{ ref('fct_events') }}
    where profile_id is not null and not is_bot
),

arrivals as (
    select
        *,
        lower(coalesce(utm_source, '')) as source_name,
        lower(coalesce(utm_medium, '')) as medium,
        -- coming from a page of one's own site is no arrival
        case when referrer_host is distinct from page_host then coalesce(referrer_host, '') else '' end as outside_host,
        case when source in ('web', 'forms') then 'web' else source end as feed
    from events
),

ways as (
    select distinct feed, event_name, source_name, medium, outside_host from arrivals
),

-- Olist states the origin of a lead itself
grouped as (
    select
        ways.*,
        min_by(rules.channel, rules.priority) as channel
    from ways
    join {{ ref('channel_rules') }} as rules
        on rules.feed = ways.feed
        and regexp_matches(ways.event_name, rules.event_pattern)
        and regexp_matches(ways.source_name, rules.source_pattern)
        and regexp_matches(ways.medium, rules.medium_pattern)
        and regexp_matches(ways.outside_host, rules.referrer_pattern)
    group by ways.feed, ways.event_name, ways.source_name, ways.medium, ways.outside_host
),

touches as (
    select
        arrivals.*,
        case when arrivals.event_name = 'Lead Submitted' then coalesce(arrivals.object_name, 'unknown') else grouped.channel end as touch_channel,
        row_number() over (partition by arrivals.profile_id order by arrivals.occurred_at, arrivals.event_id) = 1 as is_first_event
    from arrivals
    left join grouped using (feed, event_name, source_name, medium, outside_host)
)

select
    event_id as touch_id,
    profile_id,
    coalesce(touch_channel, 'direct') as channel,
    occurred_at as touched_at,
    utm_source,
    utm_medium,
    utm_campaign,
    utm_term,
    utm_content,
    referrer_host,
    page_url,
    row_number() over (partition by profile_id order by occurred_at, event_id) = 1 as is_first_touch
from touches
where
    touch_channel is not null
    -- somebody who first comes without any trace came straight
    or (is_first_event and feed = 'web')
