with contacts as (
    select * from {{ ref('stg_wecom__callbacks') }}
    -- that a member edits what they noted of a customer is nothing the customer did
    where
        event = 'change_external_contact'
        and change_type in ('add_external_contact', 'add_half_external_contact', 'del_follow_user', 'del_external_contact')
),

-- what the corp's own people did is no customer's doing
members as (
    select *, unnest(chat_customers) as customer
    from {{ ref('stg_wecom__callbacks') }}
    where event = 'change_external_chat' and update_detail in ('add_member', 'del_member')
)

select
    {{ event_columns(
        event_id="'wecom:' || callback_id",
        record_key="'wecom:' || callback_id",
        source="'wecom'",
        channel="'wechat'",
        event_name="case change_type
            when 'add_external_contact' then 'WeCom Contact Added'
            when 'add_half_external_contact' then 'WeCom Contact Requested'
            when 'del_follow_user' then 'WeCom Contact Removed'
            else 'WeCom Contact Dropped'
        end",
        occurred_at='occurred_at',
        identifier_type="'wecom_external_userid'",
        identifier='external_userid',
        object_id='state',
        object_name='member_id'
    ) }}
from contacts
union all
select
    {{ event_columns(
        event_id="'wecom:' || callback_id || ':' || md5(customer)",
        record_key="'wecom:' || callback_id",
        source="'wecom'",
        channel="'wechat'",
        event_name="case update_detail when 'add_member' then 'WeCom Group Joined' else 'WeCom Group Left' end",
        occurred_at='occurred_at',
        identifier_type="'wecom_external_userid'",
        identifier='customer',
        object_id='chat_id'
    ) }}
from members
