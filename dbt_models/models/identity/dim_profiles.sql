with people as (
    select * from {{ ref('int_profile_people') }}
),

chosen as (
    select * from {{ ref('int_profile_values') }}
),

settings as (
    select * from {{ ref('int_profile_settings') }}
),

country_time_zones as (
    select * from {{ ref('country_time_zones') }}
),

account_links as (
    select * from {{ ref('bridge_profile_accounts') }}
    where is_primary
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

lifecycle as (
    select * from {{ ref('profile_lifecycle') }}
),

first_touches as (
    select * from {{ ref('fct_touches') }}
    where is_first_touch
)

select
    people.profile_id,
    people.profile_key,
    chosen.first_name,
    chosen.last_name,
    coalesce({{ full_name('chosen.first_name', 'chosen.last_name') }}, chosen.full_name) as full_name,
    chosen.email,
    chosen.phone,
    chosen.wechat_openid,
    chosen.wechat_unionid,
    chosen.wecom_external_userid,
    chosen.user_id,
    chosen.crm_contact_id,
    chosen.olist_mql_id,
    account_links.account_id,
    coalesce(chosen.company, accounts.name) as company,
    chosen.title,
    chosen.city,
    chosen.country,
    settings.language,
    coalesce(settings.time_zone, country_time_zones.time_zone) as time_zone,
    lifecycle.stage as lifecycle_stage,
    lifecycle.since as lifecycle_since,
    coalesce(first_touches.channel, 'unknown') as first_touch_channel,
    first_touches.touched_at as first_touch_at,
    people.origin_system,
    people.identifiers,
    people.first_seen_at,
    people.last_seen_at,
    people.is_test
from people
left join chosen using (profile_id)
left join settings using (profile_id)
left join country_time_zones on lower(chosen.country) = country_time_zones.country
left join account_links using (profile_id)
left join accounts using (account_id)
left join lifecycle using (profile_id)
left join first_touches using (profile_id)
