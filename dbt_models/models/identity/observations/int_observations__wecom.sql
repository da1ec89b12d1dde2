with customers as (
    select * from {{ ref('stg_wecom__customers') }}
),

callbacks as (
    select * from {{ ref('stg_wecom__callbacks') }}
    where event = 'change_external_contact'
),

members as (
    select *, unnest(chat_customers) as customer
    from {{ ref('stg_wecom__callbacks') }}
    where event = 'change_external_chat'
),

told as (
    select version_id as evidence, coalesce(added_at, _landed_at) as observed_at, external_userid, unionid, _batch_id, _landed_at from customers
    union all
    -- who the unionid belongs to is told by the next pull
    select callback_id, occurred_at, external_userid, null, _batch_id, _landed_at from callbacks
    union all
    -- in a group chat there are customers whom no member has
    select callback_id, occurred_at, customer, null, _batch_id, _landed_at from members
)

select
    'wecom' as source,
    'wecom_customer' as rule,
    evidence,
    observed_at,
    {{ identifier_columns(wecom_external_userid='external_userid', wechat_unionid='unionid') }},
    _batch_id,
    _landed_at
from told
