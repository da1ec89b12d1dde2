with contacts as (
    select * from {{ crm_contacts_known() }} as known
    where account_id is not null and coalesce(created_at <= {{ as_of() }}, true)
),

accounts as (
    select * from {{ ref('stg_crm__accounts') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

known as (
    select * from {{ identifiers_known() }} as known
),

free_mail as (
    select * from {{ ref('free_mail_domains') }}
),

-- the CRM has companies twice: of those with one domain, the oldest stands for it
account_domains as (
    select
        domain,
        min_by(account_id, (coalesce(created_at, updated_at), account_id)) as account_id
    from accounts
    where domain is not null
    group by domain
),

crm_links as (
    select
        identifiers.profile_id,
        contacts.account_id,
        'crm' as link,
        cast(null as varchar) as domain,
        false as is_new_account,
        max(contacts.updated_at) as linked_at
    from contacts
    join identifiers
        on identifiers.identifier_type = 'crm_contact_id'
        and contacts.contact_id = identifiers.identifier
    join accounts using (account_id)
    group by identifiers.profile_id, contacts.account_id
),

mail_domains as (
    select
        known.profile_id,
        split_part(known.identifier, '@', 2) as domain,
        max(known.last_seen_at) as linked_at
    from known
    left join free_mail on split_part(known.identifier, '@', 2) = free_mail.domain
    where
        known.identifier_type = 'email'
        -- an address anybody can have says nothing about an employer
        and free_mail.domain is null
    group by known.profile_id, split_part(known.identifier, '@', 2)
),

domain_links as (
    select
        mail_domains.profile_id,
        coalesce(account_domains.account_id, 'd_' || left(md5(mail_domains.domain), 16)) as account_id,
        'mail_domain' as link,
        mail_domains.domain,
        account_domains.account_id is null as is_new_account,
        mail_domains.linked_at
    from mail_domains
    left join account_domains using (domain)
)

select * from crm_links
union all
select * from domain_links
