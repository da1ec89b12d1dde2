with callbacks as (
    {{ unpack(source('raw', 'wecom_callbacks'), {
        'corp_id': 'corpid',
        'event': 'Event',
        'change_type': 'ChangeType',
        'member_id': 'UserID',
        'external_userid': 'ExternalUserID',
        'state': 'State',
        'chat_id': 'ChatId',
        'update_detail': 'UpdateDetail',
        'xml': 'xml',
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
    nullif(chat_id, '') as chat_id,
    lower(nullif(update_detail, '')) as update_detail,
    -- employees stand in the same list: a customer's id is told by its form
    list_filter(regexp_extract_all(xml, '<Item>(<!\[CDATA\[)?([A-Za-z0-9_-]+)', 2), lambda one: regexp_matches(one, '^w[mo].{30}$')) as chat_customers,
    coalesce({{ epoch_timestamp('created_text') }}, {{ utc_timestamp('received_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from callbacks
