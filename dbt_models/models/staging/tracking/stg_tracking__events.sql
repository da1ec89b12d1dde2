with events as (
    {{ unpack(source('raw', 'tracking_events'), {
        'event_id': 'event_id',
        'event': 'type',
        'message_id': 'message_id',
        'channel': 'channel',
        'purpose': 'purpose',
        'url': 'url',
        'user_agent': 'user_agent',
        'occurred_text': 'occurred_at'
    }) }}
)

select
    coalesce(event_id, _event_id) as event_id,
    lower(event) as event,
    message_id,
    lower(channel) as channel,
    lower(purpose) as purpose,
    url,
    user_agent,
    coalesce({{ utc_timestamp('occurred_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from events
