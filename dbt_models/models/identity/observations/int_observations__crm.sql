-- every version counts: an address that a contact once had stays a way to recognise the person
with contacts as (
    select * from {{ ref('stg_crm__contact_versions') }}
)

select
    'crm' as source,
    'crm_contact' as rule,
    contact_id as evidence,
    coalesce(created_at, updated_at) as observed_at,
    {{ identifier_columns(crm_contact_id='contact_id', email='email', phone='phone', wechat_unionid='wechat_unionid') }},
    _batch_id,
    _landed_at
from contacts
