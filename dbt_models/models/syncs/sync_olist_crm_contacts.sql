with profiles as (
    select * from {{ ref('dim_profiles') }}
    where olist_mql_id is not null
),

leads as (
    select * from {{ ref('stg_olist__leads') }}
),

deals as (
    select * from {{ ref('stg_olist__deals') }}
)

select
    profiles.profile_id,
    profiles.olist_mql_id as mql_id,
    profiles.email,
    profiles.lifecycle_stage,
    coalesce(leads.origin, 'unknown') as origin,
    leads.first_contact_date,
    deals.won_at,
    deals.business_segment
from profiles
join leads on profiles.olist_mql_id = leads.mql_id
left join deals using (mql_id)
