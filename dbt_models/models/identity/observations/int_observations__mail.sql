with events as (
    select * from {{ ref('stg_mail__events') }}
)

select
    'mail' as source,
    'mail_event' as rule,
    event_id as evidence,
    occurred_at as observed_at,
    {{ identifier_columns(email='email') }},
    _batch_id,
    _landed_at
from events
