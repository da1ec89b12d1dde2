with submissions as (
    {{ unpack(source('raw', 'forms_submissions'), {
        'submission_id': 'submission_id',
        'form_id': 'form_id',
        'page_url': 'page_url',
        'anonymous_id': 'anonymous_id',
        'email': 'fields.email',
        'phone': 'fields.phone',
        'wechat_openid': 'fields.wechat_openid',
        'first_name': 'fields.first_name',
        'last_name': 'fields.last_name',
        'company': 'fields.company',
        'title': 'fields.title',
        'message': 'fields.message',
        'consent_granted': 'consent.granted',
        'consent_purposes': 'consent.purposes',
        'consent_channels': 'consent.channels',
        'consent_wording': 'consent.wording',
        'utm_source': 'utm.source',
        'utm_medium': 'utm.medium',
        'utm_campaign': 'utm.campaign',
        'submitted_text': 'submitted_at'
    }) }}
)

select
    coalesce(submission_id, _event_id) as submission_id,
    form_id,
    page_url,
    nullif(trim(anonymous_id), '') as anonymous_id,
    {{ email_address('email') }} as email,
    {{ phone_number('phone') }} as phone,
    nullif(trim(wechat_openid), '') as wechat_openid,
    first_name,
    last_name,
    company,
    title,
    message,
    coalesce(try_cast(consent_granted as boolean), false) as consent_granted,
    consent_purposes,
    consent_channels,
    consent_wording,
    utm_source,
    utm_medium,
    utm_campaign,
    coalesce({{ utc_timestamp('submitted_text') }}, _landed_at) as submitted_at,
    _batch_id,
    _landed_at
from submissions
