with callbacks as (
    select * from {{ ref('stg_wechat__callbacks') }}
    -- a receipt for one of our own messages
    where coalesce(event, '') not in ('templatesendjobfinish', 'masssendjobfinish')
),

contacts as (
    select * from {{ ref('stg_wecom__callbacks') }}
    -- that a member edits what they noted of a customer is nothing the customer did
    where
        event = 'change_external_contact'
        and change_type in ('add_external_contact', 'add_half_external_contact', 'del_follow_user', 'del_external_contact')
)

select
    {{ event_columns(
        event_id="'wechat:' || callback_id",
        record_key="'wechat:' || callback_id",
        source="'wechat'",
        channel="'wechat'",
        event_name="case
            when event = 'subscribe' then 'Account Followed'
            when event = 'unsubscribe' then 'Account Unfollowed'
            when event = 'scan' then 'QR Code Scanned'
            when event = 'click' then 'Menu Clicked'
            when event = 'view' then 'Menu Link Viewed'
            when event is not null then 'WeChat ' || event
            else 'Message Received'
        end",
        occurred_at='occurred_at',
        identifier_type="'wechat_openid'",
        identifier='openid',
        object_id="regexp_replace(event_key, '^qrscene_', '')",
        object_name="case when event = 'subscribe' and event_key like 'qrscene_%' then 'qr' else message_type end",
        page_url="case when event = 'view' then event_key end",
        properties="case when content is not null then cast(json_object('content', content) as varchar) end"
    ) }}
from callbacks
union all
-- the vendor asks that the data of whoever leaves be deleted: a duty of its own, apart from what happened
select
    {{ event_columns(
        event_id="'wechat_deletion:' || callback_id",
        record_key="'wechat_deletion:' || callback_id",
        source="'wechat'",
        channel="'wechat'",
        event_name="'WeChat Data Deletion Requested'",
        occurred_at='occurred_at',
        identifier_type="'wechat_openid'",
        identifier='openid'
    ) }}
from callbacks
where event = 'unsubscribe'
union all
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
