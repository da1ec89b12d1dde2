with records as (
    {{ unpack(source('raw', 'wecom_records'), {
        'corp_id': 'corpid',
        'kind': 'kind',
        'member_id': 'userid',
        'external_userid': 'external_userid',
        'unionid': 'unionid',
        'full_name': 'external_contact.name',
        'company': 'external_contact.corp_name',
        'state': 'follow_info.state',
        'created_text': 'follow_info.createtime'
    }) }}
)

select
    -- the landed key has the customer in it, and ids turn up where personal data must not
    md5(_event_id) as version_id,
    corp_id,
    member_id,
    nullif(external_userid, '') as external_userid,
    nullif(unionid, '') as unionid,
    nullif(trim(full_name), '') as full_name,
    nullif(trim(company), '') as company,
    nullif(state, '') as state,
    {{ epoch_timestamp('created_text') }} as added_at,
    _batch_id,
    _landed_at
from records
where kind = 'customer'
