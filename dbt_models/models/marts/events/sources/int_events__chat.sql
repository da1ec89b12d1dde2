with messages as (
    select * from {{ ref('stg_chat__messages') }}
    -- what the person did; an answer of ours is no act of theirs
    where is_from_customer
)

select
    {{ event_columns(
        event_id="'chat:' || chat_message_id",
        record_key="'chat:' || chat_message_id",
        source="'chat'",
        channel='channel',
        event_name="'Chat Message Received'",
        occurred_at='sent_at',
        identifier_type=strongest_type(['user_id', 'email', 'phone', 'wechat_unionid', 'wechat_openid', 'wecom_external_userid', 'anonymous_id']),
        identifier='coalesce(user_id, email, phone, wechat_unionid, wechat_openid, wecom_external_userid, anonymous_id)',
        anonymous_id='anonymous_id',
        object_id='conversation_id',
        object_name='topic',
        page_url='page_url'
    ) }}
from messages
