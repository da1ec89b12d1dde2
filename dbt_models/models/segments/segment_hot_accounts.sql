with profiles as (
    select * from {{ ref('dim_profiles') }}
),

accounts as (
    select * from {{ ref('score_accounts') }}
)

select
    profiles.profile_id,
    profiles.account_id,
    accounts.score as account_score,
    accounts.surge_points,
    'the company has ' || accounts.score || ' points: ' || coalesce(accounts.evidence, 'nobody in particular') as reason
from profiles
join accounts using (account_id)
where
    -- enough going on for sales to call
    accounts.score >= 60
    -- more than in a usual week
    and accounts.surge_points >= 5
    -- and more than one person at it
    and accounts.active_people >= 2
    and not profiles.is_test
