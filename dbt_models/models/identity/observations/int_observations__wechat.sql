with callbacks as (
    select * from {{ ref('stg_wechat__callbacks') }}
    -- the end of a mass message is told by the account's own helper
    where coalesce(event, '') <> 'masssendjobfinish'
),

followers as (
    select * from {{ ref('stg_wechat__followers') }}
)

select
    'wechat' as source,
    'wechat_unionid' as rule,
    callback_id as evidence,
    occurred_at as observed_at,
    {{ identifier_columns(wechat_openid='openid', wechat_unionid='unionid') }},
    _batch_id,
    _landed_at
from callbacks
union all
select
    'wechat',
    'wechat_unionid',
    version_id,
    coalesce(followed_at, _landed_at),
    {{ identifier_columns(wechat_openid='openid', wechat_unionid='unionid') }},
    _batch_id,
    _landed_at
from followers
