with orders as (
    select * from {{ ref('stg_shop__orders') }}
),

moments as (
    select *, 'Order Placed' as event_name, ordered_at as occurred_at from orders
    union all
    -- a refund does not undo that it was paid
    select *, 'Order Paid', ordered_at from orders
    where status in ('paid', 'refunded')
    union all
    select *, 'Order Refunded', updated_at from orders
    where status = 'refunded'
    union all
    select *, 'Order Cancelled', updated_at from orders
    where status = 'cancelled'
)

select
    {{ event_columns(
        event_id="'shop:' || order_id || ':' || event_name",
        record_key="'shop:' || order_id",
        source="'shop'",
        channel="'shop'",
        event_name='event_name',
        occurred_at='occurred_at',
        identifier_type=strongest_type(['user_id', 'email', 'phone', 'anonymous_id']),
        identifier='coalesce(user_id, email, phone, anonymous_id)',
        anonymous_id='anonymous_id',
        object_id='order_id',
        value='total',
        currency='currency',
        properties='items'
    ) }}
from moments
