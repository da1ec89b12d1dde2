with orders as (
    select * from {{ ref('stg_shop__order_versions') }}
)

select
    'shop' as source,
    'shop_order' as rule,
    order_id as evidence,
    ordered_at as observed_at,
    {{ identifier_columns(user_id='user_id', email='email', phone='phone', anonymous_id='anonymous_id') }},
    _batch_id,
    _landed_at
from orders
