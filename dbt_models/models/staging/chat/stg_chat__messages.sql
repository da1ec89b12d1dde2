with messages as (
    {{ unpack(source('raw', 'chat_messages'), {
        'channel': 'channel',
        'conversation_id': 'conversation_id',
        'sender': 'sender',
        'agent': 'agent',
        'topic': 'topic',
        'text': 'text',
        'page_url': 'page_url',
        'user_id': 'user_id',
        'email': 'email',
        'phone': 'phone',
        'wechat_unionid': 'wechat_unionid',
        'wechat_openid': 'wechat_openid',
        'wecom_external_userid': 'wecom_external_userid',
        'anonymous_id': 'anonymous_id',
        'sent_text': 'sent_at'
    }) }}
)

select
    md5(_event_id) as chat_message_id,
    coalesce(lower(channel), 'chat') as channel,
    conversation_id,
    -- whoever is none of ours
    lower(sender) in ('customer', 'visitor', 'user', 'contact') as is_from_customer,
    agent,
    topic,
    text,
    page_url,
    nullif(user_id, '') as user_id,
    {{ email_address('email') }} as email,
    {{ phone_number('phone') }} as phone,
    nullif(wechat_unionid, '') as wechat_unionid,
    nullif(wechat_openid, '') as wechat_openid,
    nullif(wecom_external_userid, '') as wecom_external_userid,
    nullif(anonymous_id, '') as anonymous_id,
    coalesce({{ utc_timestamp('sent_text') }}, _landed_at) as sent_at,
    _batch_id,
    _landed_at
from messages
