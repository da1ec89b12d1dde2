with profiles as (
    select * from {{ ref('dim_profiles') }}
)

select
    profile_id,
    renews_at,
    'the contract renews on ' || cast(cast(renews_at as date) as varchar) as reason
from profiles
where
    renews_at >= {{ as_of() }}
    and renews_at < {{ as_of() }} + interval '30 days'
    and not is_test
