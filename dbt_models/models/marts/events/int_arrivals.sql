{%- set redo = changed_events('profile_id', as_of_now=true, rules=[ref('channel_rules')]) -%}

with events as (
    select * from {{ redo.events }}
    where {{ redo.wanted }} and profile_id is not null and not is_bot and occurred_at <= {{ as_of() }}
),

rules as (
    select * from {{ ref('channel_rules') }}
),

-- only what carries a sign of where somebody came from can be an arrival
signs as (
    select
        event_id, profile_id, event_name, occurred_at, object_id, object_name, page_url,
        utm_source, utm_medium, utm_campaign, utm_term, utm_content,
        case when source in ('web', 'forms') then 'web' else source end as feed,
        lower(coalesce(utm_source, '')) as source_name,
        lower(coalesce(utm_medium, '')) as medium,
        -- coming from a page of one's own site is no arrival
        coalesce(nullif({{ url_host('referrer') }}, coalesce({{ url_host('page_url') }}, '')), '') as outside_host
    from events
    where
        utm_source is not null
        or utm_medium is not null
        or referrer is not null
        or source in (select feed from rules where feed <> 'web')
),

ways as (
    select distinct feed, event_name, source_name, medium, outside_host from signs
),

grouped as (
    select
        ways.feed,
        ways.event_name,
        ways.source_name,
        ways.medium,
        ways.outside_host,
        min_by(rules.channel, rules.priority) as channel
    from ways
    join rules
        on rules.feed = ways.feed
        and regexp_matches(ways.event_name, rules.event_pattern)
        and regexp_matches(ways.source_name, rules.source_pattern)
        and regexp_matches(ways.medium, rules.medium_pattern)
        and regexp_matches(ways.outside_host, rules.referrer_pattern)
    group by ways.feed, ways.event_name, ways.source_name, ways.medium, ways.outside_host
)

select
    signs.event_id,
    signs.profile_id,
    -- Olist states the origin of a lead itself
    case when signs.event_name = 'Lead Submitted' then coalesce(signs.object_name, 'unknown') else grouped.channel end as channel,
    signs.occurred_at,
    signs.utm_source,
    signs.utm_medium,
    signs.utm_campaign,
    signs.utm_term,
    signs.utm_content,
    nullif(signs.outside_host, '') as referrer_host,
    -- the scene of the code that was scanned: where it hung, or whose it was
    case
        when signs.event_name = 'QR Code Scanned' or (signs.event_name = 'Account Followed' and signs.object_name = 'qr') then signs.object_id
    end as qr_scene,
    signs.page_url,
    {{ redo.stamp }}
from signs
join grouped using (feed, event_name, source_name, medium, outside_host)
