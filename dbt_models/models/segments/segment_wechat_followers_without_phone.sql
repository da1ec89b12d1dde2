with profiles as (
    select * from {{ ref('dim_profiles') }}
),

followers as (
    select * from {{ ref('int_wechat_followers') }}
    where is_following
)

select
    profiles.profile_id,
    followers.openid,
    followers.since as last_seen_following_at,
    'follows on WeChat, phone unknown' as reason
from profiles
join followers on profiles.wechat_openid = followers.openid
where
    -- what the segment is to change
    profiles.phone is null
    and not profiles.is_test
