with tags as (
    select * from {{ ref('tag_assignments') }}
),

profiles as (
    select * from {{ ref('dim_profiles') }}
),

followers as (
    select * from {{ ref('int_wechat_followers') }}
    -- WeChat refuses a tag for somebody who has left
    where is_following
)

select
    followers.openid || ':' || tags.tag as row_key,
    profiles.profile_id,
    followers.openid,
    tags.tag
from tags
join profiles using (profile_id)
join followers on profiles.wechat_openid = followers.openid
where
    -- WeChat allows 100 tags in all: what somebody looks for
    tags.dimension = 'interest'
    and not profiles.is_test
