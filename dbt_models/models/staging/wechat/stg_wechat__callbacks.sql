with callbacks as (
    {{ unpack(source('raw', 'wechat_callbacks'), {
        'app_id': 'appid',
        'account_id': 'ToUserName',
        'openid': 'FromUserName',
        'unionid': 'UnionID',
        'message_type': 'MsgType',
        'event': 'Event',
        'event_key': 'EventKey',
        'content': 'Content',
        'status': 'Status',
        'job_id': 'MsgID',
        'message_id': 'MsgId',
        'created_text': 'CreateTime',
        'received_text': 'received_at'
    }) }}
)

select
    -- the landed key has the openid in it, and ids turn up where personal data must not
    md5(_event_id) as callback_id,
    app_id,
    account_id,
    nullif(openid, '') as openid,
    nullif(unionid, '') as unionid,
    lower(message_type) as message_type,
    lower(event) as event,
    nullif(event_key, '') as event_key,
    content,
    lower(status) as status,
    coalesce(job_id, message_id) as provider_id,
    coalesce({{ epoch_timestamp('created_text') }}, {{ utc_timestamp('received_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from callbacks
