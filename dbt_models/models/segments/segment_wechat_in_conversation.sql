with profiles as (
    select * from {{ ref('dim_profiles') }}
),

followers as (
    select * from {{ ref('int_wechat_followers') }}
    where is_following
),

conversations as (
    select
        openid,
        max(occurred_at) as wrote_at
    from {{ ref('stg_wechat__callbacks') }}
    where
        -- a menu click, a follow or a scan opens a window of a minute, which no build can meet
        message_type <> 'event'
        and occurred_at <= {{ as_of() }}
    group by openid
)

select
    profiles.profile_id,
    followers.openid,
    conversations.wrote_at,
    conversations.wrote_at + interval '48 hours' as open_until,
    'wrote on WeChat within 48 hours' as reason
from profiles
join followers on profiles.wechat_openid = followers.openid
join conversations on followers.openid = conversations.openid
where
    -- what the vendor allows for customer-service messages
    conversations.wrote_at > {{ as_of() }} - interval '48 hours'
    and not profiles.is_test
