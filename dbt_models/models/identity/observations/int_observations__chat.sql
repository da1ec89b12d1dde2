with messages as (
    select * from {{ ref('stg_chat__messages') }}
)

select
    'chat' as source,
    'chat_message' as rule,
    chat_message_id as evidence,
    sent_at as observed_at,
    {{ identifier_columns(
        user_id='user_id', email='email', phone='phone', wechat_unionid='wechat_unionid', wechat_openid='wechat_openid',
        wecom_external_userid='wecom_external_userid', anonymous_id='anonymous_id'
    ) }},
    _batch_id,
    _landed_at
from messages
