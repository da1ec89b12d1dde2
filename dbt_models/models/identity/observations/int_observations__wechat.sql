with callbacks as (
    select * from {{ ref('stg_wechat__callbacks') }}
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
