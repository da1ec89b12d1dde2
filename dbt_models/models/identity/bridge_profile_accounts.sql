with links as (
    select * from {{ ref('int_profile_account_links') }}
),

-- a person may be tied to one company in several ways: the CRM's word is the one to show
distinct_links as (
    select
        profile_id,
        account_id,
        min(link) as link,
        max(linked_at) as linked_at
    from links
    group by profile_id, account_id
)

select
    profile_id,
    account_id,
    link,
    linked_at,
    row_number() over (
        partition by profile_id
        -- by CRM link first, then by business mail domain; of several, the newest
        order by link, linked_at desc, account_id
    ) = 1 as is_primary
from distinct_links
