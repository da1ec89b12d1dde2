with records as (
    {{ unpack(source('raw', 'crm_records'), {
        'system': 'system',
        'object': 'object',
        'record_id': 'id',
        'deleted': 'deleted',
        'changed_text': 'changed_at',
        'account_text': 'fields.AccountId',
        'hubspot_account': 'fields.associatedcompanyid',
        'fxiaoke_account': 'fields.account_id',
        'neocrm_account': 'fields.accountId',
        'fxiaoke_stage': 'fields.leads_status',
        'email_text': 'fields.Email',
        'hubspot_email': 'fields.email',
        'phone_text': 'fields.Phone',
        'mobile_text': 'fields.MobilePhone',
        'hubspot_phone': 'fields.phone',
        'mobile': 'fields.mobile',
        'tel': 'fields.tel',
        'first_text': 'fields.FirstName',
        'hubspot_first': 'fields.firstname',
        'last_text': 'fields.LastName',
        'hubspot_last': 'fields.lastname',
        'name': 'fields.name',
        'neocrm_name': 'fields.contactName',
        'title_text': 'fields.Title',
        'hubspot_title': 'fields.jobtitle',
        'neocrm_title': 'fields.post',
        'hubspot_stage': 'fields.lifecyclestage',
        'status_text': 'fields.Status',
        'hubspot_status': 'fields.hs_lead_status',
        'owner_text': 'fields.OwnerId',
        'hubspot_owner': 'fields.hubspot_owner_id',
        'city_text': 'fields.MailingCity',
        'hubspot_city': 'fields.city',
        'country_text': 'fields.MailingCountry',
        'hubspot_country': 'fields.country',
        'no_calls': 'fields.DoNotCall',
        'no_mail': 'fields.HasOptedOutOfEmail',
        'hubspot_no_mail': 'fields.hs_email_optout',
        'birthday_text': 'fields.Birthdate',
        'hubspot_birthday': 'fields.date_of_birth',
        'created_text': 'fields.CreatedDate',
        'hubspot_created': 'fields.createdate'
    }) }}
)

select
    _event_id as contact_version_id,
    -- ids of two CRMs may be the same
    system || ':' || record_id as contact_id,
    system || ':' || nullif(coalesce(account_text, hubspot_account, fxiaoke_account, neocrm_account), '') as account_id,
    {{ email_address('coalesce(email_text, hubspot_email)') }} as email,
    {{ phone_number('coalesce(mobile_text, phone_text, mobile, hubspot_phone, tel)') }} as phone,
    coalesce(first_text, hubspot_first) as first_name,
    coalesce(last_text, hubspot_last, neocrm_name, name) as last_name,
    coalesce(title_text, hubspot_title, neocrm_title) as title,
    lower(hubspot_stage) as lifecycle_stage,
    coalesce(status_text, hubspot_status, fxiaoke_stage) as lead_status,
    coalesce(owner_text, hubspot_owner) as owner,
    coalesce(city_text, hubspot_city) as city,
    coalesce(country_text, hubspot_country) as country,
    -- whoever wants no calls, or no mail, is left alone altogether
    coalesce(try_cast(no_calls as boolean), false)
    or coalesce(try_cast(no_mail as boolean), false)
    or coalesce(try_cast(hubspot_no_mail as boolean), false) as do_not_contact,
    cast(null as varchar) as wechat_unionid,
    try_cast(coalesce(birthday_text, hubspot_birthday) as date) as birthday,
    {{ utc_timestamp('coalesce(created_text, hubspot_created)') }} as created_at,
    coalesce({{ utc_timestamp('changed_text') }}, _landed_at) as updated_at,
    _batch_id,
    _line,
    _landed_at
from records
where
    -- what else is pulled is no person
    object in ('Contact', 'Lead', 'contacts', 'ContactObj', 'LeadsObj', 'contact', 'lead')
    -- a record that is gone says nothing: what it said last stays
    and not coalesce(try_cast(deleted as boolean), false)
