with leads as (
    select * from {{ ref('stg_olist__leads') }}
),

profiles as (
    select * from {{ ref('dim_profiles') }}
)

select
    profiles.profile_id,
    min(leads.first_contact_date) as first_contact_date,
    min(leads.landing_page_id) as landing_page_id,
    'paid search lead of ' || min(leads.first_contact_date) || ', not won' as reason
from leads
join profiles on leads.mql_id = profiles.olist_mql_id
where
    leads.origin = 'paid_search'
    -- three months are what a deal takes at most
    and leads.first_contact_date <= cast({{ as_of() }} as date) - interval '90 days'
    and profiles.lifecycle_stage <> 'customer'
group by profiles.profile_id
