with callbacks as (
    select * from {{ ref('stg_wecom__callbacks') }}
    where event = 'change_external_contact' and external_userid is not null
),

listed as (
    select * from {{ ref('stg_wecom__customers') }}
    where external_userid is not null
),

seen as (
    select
        corp_id,
        member_id,
        external_userid,
        -- either of the two may have removed the other: nothing reaches the customer by this member then
        change_type not in ('del_external_contact', 'del_follow_user') as is_contact,
        occurred_at as since
    from callbacks
    -- not yet friends, and what is about the handing over of customers
    where change_type in ('add_external_contact', 'edit_external_contact', 'del_external_contact', 'del_follow_user')
    union all
    select corp_id, member_id, external_userid, true, coalesce(added_at, _landed_at)
    from listed
    union all
    -- to be in a group chat with a member is not to be theirs
    select corp_id, null, unnest(chat_customers), false, occurred_at
    from {{ ref('stg_wecom__callbacks') }}
    where event = 'change_external_chat'
),

-- the last thing known of each pair of member and customer
pairs as (
    select
        external_userid,
        arg_max(is_contact, since) as is_contact,
        max(since) as since
    from seen
    where since <= {{ as_of() }}
    group by corp_id, member_id, external_userid
)

select
    external_userid,
    bool_or(is_contact) as is_customer,
    count(*) filter (where is_contact) as members,
    max(since) as since
from pairs
group by external_userid
