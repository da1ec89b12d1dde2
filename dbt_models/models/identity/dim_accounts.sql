with crm_accounts as (
    select * from {{ ref('stg_crm__accounts') }}
),

profile_accounts as (
    select * from {{ ref('int_profile_account_links') }}
),

-- companies that the CRM doesn't know, found by their people's mail domain
found as (
    select
        account_id,
        min(domain) as domain
    from profile_accounts
    where link = 'mail_domain' and is_new_account
    group by account_id
),

people as (
    select
        account_id,
        count(distinct profile_id) as profiles
    from profile_accounts
    group by account_id
),

accounts as (
    select
        account_id, name, domain, industry, employees, annual_revenue, city, country, created_at, 'crm' as source
    from crm_accounts
    union all
    select
        account_id, domain, domain, null, null, null, null, null, null, 'mail_domain'
    from found
)

select
    accounts.*,
    coalesce(people.profiles, 0) as profiles
from accounts
left join people using (account_id)
