with by_source as (
    select * from {{ identifiers_known() }} as known
    where identifier_type in ('email', 'phone', 'wechat_openid')
),

chosen as (
    select * from {{ ref('int_profile_fields') }}
),

channels as (
    select * from (values ('email', 'email'), ('phone', 'sms'), ('wechat_openid', 'wechat')) as channels (identifier_type, channel)
),

bounces as (
    select * from {{ ref('int_address_bounces') }}
),

followers as (
    select * from {{ ref('int_wechat_followers') }}
),

suppressed as (
    select
        profile_id,
        channel,
        bool_or(scope = 'all' and reason not in ('hard_bounce', 'soft_bounces')) as from_all,
        bool_or(reason not in ('hard_bounce', 'soft_bounces')) as from_marketing
    from {{ ref('suppressions') }}
    group by profile_id, channel
),

agreed as (
    select states.profile_id, states.channel
    from {{ ref('consent_state') }} as states
    join {{ ref('consent_purposes') }} as purposes using (purpose)
    where purposes.is_marketing and states.status = 'granted'
    group by states.profile_id, states.channel
),

judged as (
    select
        by_source.*,
        channels.channel,
        case
            when bounces.hard_bounced_at is not null then 'hard bounce'
            when bounces.recent_soft_bounces >= 3 then 'soft bounces'
            when not followers.is_following then 'left the account'
            -- a number that can get no text message
            when by_source.identifier_type = 'phone' and by_source.identifier like '+86%' and by_source.identifier not like '+861%' then 'fixed line'
        end as invalid_reason
    from by_source
    join channels using (identifier_type)
    left join bounces
        on channels.channel = bounces.channel
        and by_source.identifier_type = bounces.identifier_type
        and by_source.identifier = bounces.identifier
    left join followers on by_source.identifier_type = 'wechat_openid' and by_source.identifier = followers.openid
)

select
    judged.profile_id || ':' || judged.identifier_type || ':' || judged.identifier_key as contact_point_id,
    judged.profile_id,
    judged.channel,
    judged.identifier_type,
    judged.identifier,
    chosen.value is not null as is_primary,
    judged.source,
    judged.first_seen_at,
    judged.last_seen_at,
    judged.invalid_reason is null as is_valid,
    judged.invalid_reason,
    judged.invalid_reason is null and not coalesce(suppressed.from_all, false) as is_reachable,
    judged.invalid_reason is null and not coalesce(suppressed.from_marketing, false) and agreed.profile_id is not null as accepts_marketing
from judged
left join chosen
    on judged.profile_id = chosen.profile_id
    and judged.identifier_type = chosen.field
    and judged.identifier = chosen.value
left join suppressed on judged.profile_id = suppressed.profile_id and judged.channel = suppressed.channel
left join agreed on judged.profile_id = agreed.profile_id and judged.channel = agreed.channel
