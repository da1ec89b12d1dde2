with events as (
    {{ unpack(source('raw', 'mail_events'), {
        'sg_event_id': 'sg_event_id',
        'sg_message_id': 'sg_message_id',
        'smtp_id': 'smtp-id',
        'message_id_argument': 'message_id',
        'event': 'event',
        'bounce_type': 'type',
        'status': 'status',
        'reason': 'reason',
        'response': 'response',
        'email': 'email',
        'url': 'url',
        'user_agent': 'useragent',
        'machine_open_text': 'sg_machine_open',
        'timestamp_text': 'timestamp'
    }) }}
)

select
    coalesce(sg_event_id, _event_id) as event_id,
    sg_message_id as provider_id,
    coalesce(message_id_argument, nullif(regexp_extract(smtp_id, '(m_[0-9a-f]{32})', 1), '')) as message_id,
    lower(event) as event,
    lower(bounce_type) as bounce_type,
    status,
    coalesce(reason, response) as reason,
    {{ email_address('email') }} as email,
    url,
    user_agent,
    coalesce(try_cast(machine_open_text as boolean), false) as is_machine_open,
    coalesce({{ epoch_timestamp('timestamp_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from events
