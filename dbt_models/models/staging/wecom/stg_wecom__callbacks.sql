with callbacks as (
    {{ unpack(source('raw', 'wecom_callbacks'), {
        'corp_id': 'corpid',
        'event': 'Event',
        'change_type': 'ChangeType',
        'member_id': 'UserID',
        'external_userid': 'ExternalUserID',
        'state': 'State',
        'created_text': 'CreateTime',
        'received_text': 'received_at'
    }) }}
)

select
    -- ids turn up where personal data must not
    md5(_event_id) as callback_id,
    corp_id,
    lower(event) as event,
    lower(change_type) as change_type,
    nullif(member_id, '') as member_id,
    nullif(external_userid, '') as external_userid,
    nullif(state, '') as state,
    coalesce({{ epoch_timestamp('created_text') }}, {{ utc_timestamp('received_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from callbacks
