with records as (
    select * from {{ ref('stg_consent__records') }}
)

select
    'consent' as source,
    'consent_record' as rule,
    consent_id as evidence,
    occurred_at as observed_at,
    {{ identifier_columns(
        user_id="case when identifier_type = 'user_id' then identifier end",
        email="case when identifier_type = 'email' then identifier end",
        phone="case when identifier_type = 'phone' then identifier end",
        wechat_openid="case when identifier_type = 'wechat_openid' then identifier end"
    ) }},
    _batch_id,
    _landed_at
from records
