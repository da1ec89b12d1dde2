with profiles as (
    select * from {{ ref('dim_profiles') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
    where is_paid
),

bought as (
    select
        profile_id,
        count(*) as orders,
        max(ordered_at) as last_ordered_at
    from orders
    group by profile_id
)

select
    profiles.profile_id,
    profiles.full_name,
    profiles.email,
    profiles.phone,
    profiles.city,
    profiles.country,
    cast(bought.orders as bigint) as orders,
    bought.last_ordered_at
from profiles
join bought using (profile_id)
where not profiles.is_test
