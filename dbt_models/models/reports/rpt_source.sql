with profiles as (
    select * from {{ ref('dim_profiles') }}
    where not is_test
),

counted as (
    select
        origin_system,
        first_touch_channel as channel,
        count(*) as profiles,
        count(*) filter (where email is not null or phone is not null or wechat_openid is not null) as reachable,
        count(*) filter (where lifecycle_stage = 'customer') as customers
    from profiles
    group by origin_system, first_touch_channel
)

select
    origin_system || ':' || channel as source_id,
    origin_system,
    channel,
    profiles,
    reachable,
    customers,
    profiles / sum(profiles) over (partition by origin_system) as share_of_profiles,
    customers / profiles as customer_rate
from counted
