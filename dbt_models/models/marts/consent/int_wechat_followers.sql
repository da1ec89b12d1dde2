with callbacks as (
    select * from {{ ref('stg_wechat__callbacks') }}
),

followers as (
    select * from {{ ref('stg_wechat__followers') }}
),

seen as (
    select
        openid,
        -- whoever writes or clicks follows, even if the follow itself was never seen
        coalesce(event, '') <> 'unsubscribe' as is_following,
        occurred_at as since,
        'wechat:' || callback_id as evidence
    from callbacks
    -- a receipt comes for people who have left, too
    where coalesce(event, '') not in ('templatesendjobfinish', 'masssendjobfinish')
    union all
    select
        openid,
        is_following,
        -- who left is listed without a time
        case when is_following then coalesce(followed_at, _landed_at) else _landed_at end,
        'wechat_followers:' || version_id
    from followers
),

ranked as (
    select
        *,
        row_number() over (partition by openid order by since desc, is_following::int, evidence) as place
    from seen
    where openid is not null and since <= {{ as_of() }}
)

select
    openid,
    is_following,
    since,
    evidence
from ranked
where place = 1
