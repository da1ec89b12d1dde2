with orders as (
    select * from {{ ref('stg_shop__order_versions') }}
    where ordered_at <= {{ as_of() }}
    -- what was paid then and given back since, was paid
    qualify {{ version_as_of('order_id') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

identified as (
    select
        *,
        {{ strongest_type(['user_id', 'email', 'phone', 'anonymous_id']) }} as identifier_type,
        coalesce(user_id, email, phone, anonymous_id) as identifier
    from orders
)

select
    identified.order_id,
    coalesce(named.profile_id, mailed.profile_id) as profile_id,
    identified.status,
    identified.status = 'paid' as is_paid,
    identified.total,
    identified.currency,
    identified.items,
    identified.contract_ends_at,
    identified.ordered_at,
    identified.updated_at
from identified
left join identifiers as named
    on identified.identifier_type = named.identifier_type
    and identified.identifier = named.identifier
left join identifiers as mailed
    on mailed.identifier_type = 'email'
    and identified.email = mailed.identifier
