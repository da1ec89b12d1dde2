with members as (
    select * from {{ ref('segment_olist_paid_search_not_won_90d') }}
),

profiles as (
    select * from {{ ref('dim_profiles') }}
)

select
    profiles.profile_id,
    profiles.email,
    members.first_contact_date,
    members.landing_page_id
from members
join profiles using (profile_id)
