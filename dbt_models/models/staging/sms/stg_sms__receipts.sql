with receipts as (
    {{ unpack(source('raw', 'sms_receipts'), {
        'phone_number': 'phone_number',
        'send_time': 'send_time',
        'report_time': 'report_time',
        'success': 'success',
        'err_code': 'err_code',
        'err_msg': 'err_msg',
        'sms_size': 'sms_size',
        'biz_id': 'biz_id',
        'out_id': 'out_id'
    }) }}
)

select
    -- the landed key has the phone number in it, and ids turn up where personal data must not
    md5(_event_id) as receipt_id,
    biz_id as provider_id,
    nullif(out_id, '') as message_id,
    {{ phone_number('phone_number') }} as phone,
    try_cast(success as boolean) as is_delivered,
    upper(err_code) as error_code,
    err_msg as error_message,
    try_cast(sms_size as integer) as parts,
    {{ china_timestamp('send_time') }} as sent_at,
    coalesce({{ china_timestamp('report_time') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from receipts
