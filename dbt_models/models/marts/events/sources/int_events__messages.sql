with receipts as (
    select * from {{ ref('int_message_receipts') }}
)

select
    {{ event_columns(
        event_id='receipt_id',
        record_key='receipt_id',
        source='source',
        channel='channel',
        event_name="'Message ' || upper(left(event_type, 1)) || substr(event_type, 2)",
        occurred_at='occurred_at',
        identifier_type='identifier_type',
        identifier='identifier',
        message_id='message_id',
        object_name='reason',
        page_url='url',
        user_agent='user_agent'
    ) }}
from receipts
