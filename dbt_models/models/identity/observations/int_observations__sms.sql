with receipts as (
    select * from {{ ref('stg_sms__receipts') }}
)

select
    'sms' as source,
    'sms_receipt' as rule,
    receipt_id as evidence,
    occurred_at as observed_at,
    {{ identifier_columns(phone='phone') }},
    _batch_id,
    _landed_at
from receipts
