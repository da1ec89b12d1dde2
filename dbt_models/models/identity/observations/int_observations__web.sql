with messages as (
    select * from {{ ref('stg_web__events') }}
),

observed as (
    select
        'web' as source,
        -- an identify call is a statement about who this is; any other message only carries both ids
        case when message_type = 'identify' then 'web_identify' else 'web_message' end as rule,
        message_id as evidence,
        occurred_at as observed_at,
        {{ identifier_columns(
            user_id='user_id',
            email='email',
            phone='phone',
            wechat_unionid='wechat_unionid',
            wechat_openid='wechat_openid',
            anonymous_id='anonymous_id'
        ) }},
        _batch_id,
        _landed_at
    from messages
    -- an alias message says that two ids are one person: the rule below
    where message_type <> 'alias'
),

-- the previous id of an alias is a device id when it is a UUID, as the Segment libraries make them, and otherwise an older user id
aliases as (
    select
        *,
        regexp_matches(lower(previous_id), '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') or previous_id is not distinct from anonymous_id as previous_is_device
    from messages
    where message_type = 'alias'
),

aliased as (
    select
        'web' as source,
        'web_alias' as rule,
        message_id as evidence,
        occurred_at as observed_at,
        {{ identifier_columns(
        user_id='user_id',
        anonymous_id='case when previous_is_device then previous_id end',
        previous_user_id='case when not previous_is_device then previous_id end'
    ) }},
        _batch_id,
        _landed_at
    from aliases
)

select * from observed
union all
select * from aliased
