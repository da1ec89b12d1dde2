with orders as (
    {{ unpack(source('raw', 'shop_orders'), {
        'order_id': 'order_id',
        'user_id': 'user_id',
        'anonymous_id': 'anonymous_id',
        'email': 'email',
        'phone': 'phone',
        'status': 'status',
        'currency': 'currency',
        'total': 'total',
        'items': 'items',
        'ends_text': 'contract_ends_at',
        'ordered_text': 'ordered_at',
        'updated_text': 'updated_at'
    }) }}
)

select
    _event_id as order_version_id,
    order_id,
    nullif(trim(user_id), '') as user_id,
    nullif(trim(anonymous_id), '') as anonymous_id,
    {{ email_address('email') }} as email,
    {{ phone_number('phone') }} as phone,
    lower(status) as status,
    currency,
    try_cast(total as double) as total,
    items,
    {{ utc_timestamp('ends_text') }} as contract_ends_at,
    coalesce({{ utc_timestamp('ordered_text') }}, _landed_at) as ordered_at,
    coalesce({{ utc_timestamp('updated_text') }}, {{ utc_timestamp('ordered_text') }}, _landed_at) as updated_at,
    _batch_id,
    _line,
    _landed_at
from orders
