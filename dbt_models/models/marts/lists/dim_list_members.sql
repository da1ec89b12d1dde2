with members as (
    select * from {{ ref('stg_lists__members') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

named as (
    select
        *,
        {{ strongest_type(['user_id', 'email', 'phone', 'wechat_unionid', 'wechat_openid']) }} as identifier_type,
        coalesce(user_id, email, phone, wechat_unionid, wechat_openid) as identifier
    from members
)

select
    md5(named.list_name || '|' || identifiers.profile_id) as list_member_id,
    named.list_name,
    identifiers.profile_id,
    min(named._landed_at) as uploaded_at
from named
join identifiers using (identifier_type, identifier)
group by named.list_name, identifiers.profile_id
