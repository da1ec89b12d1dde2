with callbacks as (
    select * from {{ ref('stg_wechat__callbacks') }}
    where openid is not null and occurred_at <= {{ as_of() }}
),

ranked as (
    select
        *,
        row_number() over (partition by openid order by occurred_at desc, (event = 'unsubscribe')::int desc, callback_id) as place
    from callbacks
    -- a receipt comes for people who have left, too
    where coalesce(event, '') not in ('templatesendjobfinish', 'masssendjobfinish')
)

select
    openid,
    -- whoever writes or clicks follows, even if the follow itself was never seen
    coalesce(event, '') <> 'unsubscribe' as is_following,
    occurred_at as since,
    'wechat:' || callback_id as evidence
from ranked
where place = 1
