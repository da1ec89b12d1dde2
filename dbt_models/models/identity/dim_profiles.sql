with people as (
    select * from {{ ref('int_profile_people') }}
    where {{ people_to_make_again(ref('int_profile_people')) }}
),

chosen as (
    select * from {{ ref('int_profile_values') }}
    where profile_id in (select profile_id from people)
),

settings as (
    select * from {{ ref('int_profile_settings') }}
    where profile_id in (select profile_id from people)
),

country_time_zones as (
    select * from {{ ref('country_time_zones') }}
),

companies as (
    select * from {{ ref('int_profile_companies') }}
),

lifecycle as (
    select * from {{ ref('profile_lifecycle') }}
    where profile_id in (select profile_id from people)
),

touches as (
    select
        profile_id,
        max(case when is_first_touch then channel end) as first_channel,
        max(case when is_first_touch then touched_at end) as first_at,
        max(case when is_last_touch then channel end) as last_channel,
        max(case when is_last_touch then touched_at end) as last_at
    from {{ ref('fct_touches') }}
    where (is_first_touch or is_last_touch) and profile_id in (select profile_id from people)
    group by profile_id
),

contact_points as (
    select
        profile_id,
        bool_or(is_primary and is_valid) filter (where identifier_type = 'email') as email_is_valid,
        bool_or(is_primary and is_reachable) filter (where identifier_type = 'email') as email_is_reachable,
        bool_or(is_primary and is_valid) filter (where identifier_type = 'phone') as phone_is_valid,
        bool_or(is_primary and is_reachable) filter (where identifier_type = 'phone') as phone_is_reachable,
        bool_or(is_primary and is_reachable) filter (where identifier_type = 'wechat_openid') as wechat_openid_is_reachable,
        coalesce(bool_or(accepts_marketing), false) as accepts_marketing
    from {{ ref('dim_contact_points') }}
    where profile_id in (select profile_id from people)
    group by profile_id
),

activity as (
    select * from {{ ref('int_profile_activity') }}
    where profile_id in (select profile_id from people)
),

worth as (
    select * from {{ ref('int_profile_value') }}
)

select
    people.profile_id,
    people.profile_key,
    chosen.first_name,
    chosen.last_name,
    coalesce({{ full_name('chosen.first_name', 'chosen.last_name') }}, chosen.full_name) as full_name,
    chosen.email,
    contact_points.email_is_valid,
    contact_points.email_is_reachable,
    chosen.phone,
    contact_points.phone_is_valid,
    contact_points.phone_is_reachable,
    chosen.wechat_openid,
    contact_points.wechat_openid_is_reachable,
    coalesce(contact_points.accepts_marketing, false) as accepts_marketing,
    chosen.wechat_unionid,
    chosen.wecom_external_userid,
    chosen.user_id,
    chosen.crm_contact_id,
    chosen.olist_mql_id,
    owners.owner,
    owners.owner_name,
    owners.owner_email,
    owners.owner_phone,
    owners.owner_wecom_userid,
    companies.account_id,
    coalesce(chosen.company, companies.company) as company,
    chosen.title,
    chosen.city,
    chosen.country,
    try_cast(chosen.birthday as date) as birthday,
    {{ next_anniversary('try_cast(chosen.birthday as date)') }} as next_birthday,
    settings.language,
    coalesce(settings.time_zone, country_time_zones.time_zone) as time_zone,
    lifecycle.stage as lifecycle_stage,
    lifecycle.since as lifecycle_since,
    lifecycle.furthest_stage,
    lifecycle.lead_since,
    lifecycle.customer_since,
    coalesce(touches.first_channel, 'unknown') as first_touch_channel,
    touches.first_at as first_touch_at,
    coalesce(touches.last_channel, 'unknown') as last_touch_channel,
    touches.last_at as last_touch_at,
    coalesce(activity.activity_level, 'never') as activity_level,
    activity.last_active_at,
    activity.best_hour,
    activity.preferred_channel,
    coalesce(worth.orders, 0) as orders,
    coalesce(worth.revenue, 0) as revenue,
    worth.average_order,
    worth.first_order_at,
    worth.last_order_at,
    worth.next_order_expected_at,
    renewals.renews_at,
    worth.rfm,
    worth.rfm_segment,
    worth.lifetime_value,
    worth.churn_risk,
    people.origin_system,
    people.identifiers,
    people.first_seen_at,
    greatest(people.last_seen_at, activity.last_active_at) as last_seen_at,
    people.is_test
from people
left join chosen using (profile_id)
left join settings using (profile_id)
left join country_time_zones on lower(chosen.country) = country_time_zones.country
left join companies using (profile_id)
left join lifecycle using (profile_id)
left join touches using (profile_id)
left join contact_points using (profile_id)
left join activity using (profile_id)
left join worth using (profile_id)
left join {{ ref('int_profile_renewals') }} as renewals using (profile_id)
left join {{ ref('int_profile_owners') }} as owners using (profile_id)
where not people.is_machine
