with receipts as (
    {{ unpack(source('raw', 'sms_receipts'), {
        'vendor': 'vendor',
        'phone_number': 'phone_number',
        'send_time': 'send_time',
        'report_time': 'report_time',
        'success': 'success',
        'err_code': 'err_code',
        'err_msg': 'err_msg',
        'sms_size': 'sms_size',
        'biz_id': 'biz_id',
        'out_id': 'out_id',
        'reply': 'content',
        'sid': 'sid',
        'report_status': 'report_status',
        'errmsg': 'errmsg',
        'description': 'description',
        'user_receive_time': 'user_receive_time',
        'reply_text': 'text',
        'reply_time': 'time',
        'message_sid': 'MessageSid',
        'message_status': 'MessageStatus',
        'sms_status': 'SmsStatus',
        'error_code': 'ErrorCode',
        'reply_body': 'Body',
        'opt_out_type': 'OptOutType',
        'message_id': 'message_id',
        'received_at': 'received_at'
    }) }}
),

-- what the person wrote back, where the receipt is a reply
replies as (
    select
        *,
        case
            when vendor = 'twilio' then case when sms_status = 'received' then coalesce(opt_out_type, reply_body, '') end
            when vendor = 'tencent_sms' then case when sid is null then coalesce(reply_text, '') end
            else reply
        end as answer
    from receipts
)

select
    -- the landed key has the phone number in it, and ids turn up where personal data must not
    md5(_event_id) as receipt_id,
    coalesce(biz_id, sid, message_sid) as provider_id,
    coalesce(nullif(out_id, ''), message_id) as message_id,
    {{ phone_number('phone_number') }} as phone,
    case vendor
        when 'twilio' then coalesce(lower(message_status) in ('delivered', 'read'), false)
        when 'tencent_sms' then coalesce(report_status = 'SUCCESS', false)
        else try_cast(success as boolean)
    end as is_delivered,
    case
        when answer is not null then {{ sms_answer('answer') }}
        when vendor = 'twilio' then coalesce('TWILIO_' || error_code, upper(coalesce(message_status, sms_status)))
        when vendor = 'tencent_sms' then upper(errmsg)
        else upper(err_code)
    end as error_code,
    coalesce(err_msg, description) as error_message,
    try_cast(sms_size as integer) as parts,
    {{ china_timestamp('send_time') }} as sent_at,
    coalesce(
        {{ china_timestamp("coalesce(report_time, user_receive_time, case when answer is not null then send_time end)") }},
        {{ epoch_timestamp('reply_time') }},
        {{ utc_timestamp('received_at') }},
        _landed_at
    ) as occurred_at,
    _batch_id,
    _landed_at
from replies
