with events as (
    select * from {{ ref('fct_events') }}
    where
        profile_id is not null
        and not is_bot
        and occurred_at <= {{ as_of() }}
),

rules as (
    select * from {{ ref('tag_rules') }}
),

matched as (
    select
        events.profile_id,
        events.event_id,
        events.occurred_at,
        rules.*,
        row_number() over (
            partition by events.profile_id, rules.rule, rules.tag
            order by events.occurred_at, events.event_id
        ) as occurrence
    from events
    join rules
        on events.event_name = rules.event_name
        and coalesce(events.product_category, '') like rules.category_like
),

-- a moment counts when the event `min_count - 1` before it is still inside the window
qualified as (
    select
        latest.profile_id,
        latest.rule,
        latest.tag,
        latest.ttl_days,
        latest.occurred_at,
        latest.event_id
    from matched as latest
    join matched as earliest
        on latest.profile_id = earliest.profile_id
        and latest.rule = earliest.rule
        and latest.tag = earliest.tag
        and earliest.occurrence = latest.occurrence - latest.min_count + 1
    where latest.occurred_at <= earliest.occurred_at + latest.window_days * interval '1 day'
),

assigned as (
    select
        profile_id,
        tag,
        max_by(rule, occurred_at) as rule,
        max_by(event_id, occurred_at) as evidence,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at,
        max(occurred_at + ttl_days * interval '1 day') as expires_at
    from qualified
    group by profile_id, tag
)

select
    profile_id || ':' || tag as profile_tag_id,
    *
from assigned
-- interest that was not renewed wears off
where expires_at > {{ as_of() }}
