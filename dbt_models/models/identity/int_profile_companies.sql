with links as (
    select * from {{ ref('bridge_profile_accounts') }}
    where is_primary
),

accounts as (
    select * from {{ ref('dim_accounts') }}
)

select
    links.profile_id,
    links.account_id,
    accounts.name as company
from links
left join accounts using (account_id)
