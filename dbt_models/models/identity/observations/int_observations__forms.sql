with submissions as (
    select * from {{ ref('stg_forms__submissions') }}
)

select
    'forms' as source,
    'form_submission' as rule,
    submission_id as evidence,
    submitted_at as observed_at,
    {{ identifier_columns(email='email', phone='phone', wechat_openid='wechat_openid', anonymous_id='anonymous_id') }},
    _batch_id,
    _landed_at
from submissions
