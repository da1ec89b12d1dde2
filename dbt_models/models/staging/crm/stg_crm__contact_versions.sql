with contacts as (
    {{ unpack(source('raw', 'crm_contacts'), {
        'contact_id': 'contact_id',
        'account_id': 'account_id',
        'email': 'email',
        'phone': 'phone',
        'first_name': 'first_name',
        'last_name': 'last_name',
        'title': 'title',
        'lifecycle_stage': 'lifecycle_stage',
        'lead_status': 'lead_status',
        'owner': 'owner',
        'city': 'city',
        'country': 'country',
        'do_not_contact': 'do_not_contact',
        'wechat_unionid': 'wechat_unionid',
        'birthday': 'birthday',
        'created_text': 'created_at',
        'updated_text': 'updated_at'
    }) }}
)

select
    _event_id as contact_version_id,
    contact_id,
    nullif(account_id, '') as account_id,
    {{ email_address('email') }} as email,
    {{ phone_number('phone') }} as phone,
    first_name,
    last_name,
    title,
    lower(lifecycle_stage) as lifecycle_stage,
    lead_status,
    owner,
    city,
    country,
    -- a word that is no plain yes or no is taken for a yes: whoever wrote something there meant something by it
    coalesce(try_cast(do_not_contact as boolean), trim(do_not_contact) <> '', false) as do_not_contact,
    nullif(wechat_unionid, '') as wechat_unionid,
    try_cast(birthday as date) as birthday,
    {{ utc_timestamp('created_text') }} as created_at,
    coalesce({{ utc_timestamp('updated_text') }}, {{ utc_timestamp('created_text') }}, _landed_at) as updated_at,
    _batch_id,
    _line,
    _landed_at
from contacts
union all
select * from {{ ref('stg_crm__pulled_contacts') }}
