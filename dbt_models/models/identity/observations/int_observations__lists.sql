with members as (
    select * from {{ ref('stg_lists__members') }}
)

select
    'lists' as source,
    'list_upload' as rule,
    list_member_id as evidence,
    _landed_at as observed_at,
    {{ identifier_columns(user_id='user_id', email='email', phone='phone', wechat_unionid='wechat_unionid', wechat_openid='wechat_openid') }},
    _batch_id,
    _landed_at
from members
