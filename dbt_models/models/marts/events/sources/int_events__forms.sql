with submissions as (
    select * from {{ ref('stg_forms__submissions') }}
)

select
    {{ event_columns(
        event_id="'forms:' || submission_id",
        record_key="'forms:' || submission_id",
        source="'forms'",
        channel="'web'",
        event_name="'Form Submitted'",
        occurred_at='submitted_at',
        identifier_type=strongest_type(['email', 'phone', 'anonymous_id']),
        identifier='coalesce(email, phone, anonymous_id)',
        anonymous_id='anonymous_id',
        object_id='form_id',
        page_url='page_url',
        utm_source='utm_source',
        utm_medium='utm_medium',
        utm_campaign='utm_campaign'
    ) }}
from submissions
