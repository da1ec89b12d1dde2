with records as (
    {{ unpack(source('raw', 'wecom_records'), {
        'corp_id': 'corpid',
        'kind': 'kind',
        'provider_id': 'provider_id',
        'task_id': 'msgid',
        'member_id': 'userid',
        'external_userid': 'external_userid',
        'status': 'status',
        'created_text': 'created_at',
        'sent_text': 'send_time'
    }) }}
)

select
    -- the landed key has the customer in it, and ids turn up where personal data must not
    md5(_event_id) as result_id,
    corp_id,
    provider_id,
    task_id,
    member_id,
    nullif(external_userid, '') as external_userid,
    case status
        when '0' then 'waiting'
        when '1' then 'sent'
        when '2' then 'no friend'
        when '3' then 'had too many'
        else coalesce(status, 'unknown')
    end as status,
    coalesce({{ epoch_timestamp('sent_text') }}, {{ epoch_timestamp('created_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from records
where kind = 'message_result'
