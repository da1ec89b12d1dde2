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

members as (
    select distinct account_id, profile_id from profile_accounts
),

people as (
    select
        members.account_id,
        count(*) as profiles,
        count(*) filter (where stages.furthest_stage not in ('visitor', 'subscriber')) as leads,
        count(*) filter (where stages.customer_since is not null) as customers,
        count(*) filter (where activity.activity_level = 'active') as active_profiles,
        max(activity.last_active_at) as last_active_at,
        min(stages.lead_since) as lead_since,
        min(stages.customer_since) as customer_since,
        coalesce(sum(worth.revenue), 0) as order_revenue
    from members
    left join {{ ref('profile_lifecycle') }} as stages using (profile_id)
    left join {{ ref('int_profile_activity') }} as activity using (profile_id)
    left join {{ ref('int_profile_value') }} as worth using (profile_id)
    group by members.account_id
),

deals as (
    select
        -- a deal without a company is its contact's company's
        coalesce(opportunities.account_id, contacts.account_id) as account_id,
        count(*) filter (where not is_closed) as open_opportunities,
        coalesce(sum(amount) filter (where not is_closed), 0) as open_amount,
        count(*) filter (where is_won) as won_opportunities,
        coalesce(sum(amount) filter (where is_won), 0) as won_amount
    from {{ ref('fct_opportunities') }} as opportunities
    left join {{ crm_contacts_known() }} as contacts using (contact_id)
    group by coalesce(opportunities.account_id, contacts.account_id)
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
    coalesce(people.profiles, 0) as profiles,
    coalesce(people.active_profiles, 0) as active_profiles,
    coalesce(people.leads, 0) as leads,
    coalesce(people.customers, 0) as customers,
    people.last_active_at,
    people.lead_since,
    people.customer_since,
    coalesce(people.order_revenue, 0) as order_revenue,
    coalesce(deals.open_opportunities, 0) as open_opportunities,
    coalesce(deals.open_amount, 0) as open_amount,
    coalesce(deals.won_opportunities, 0) as won_opportunities,
    coalesce(deals.won_amount, 0) as won_amount
from accounts
left join people using (account_id)
left join deals using (account_id)
