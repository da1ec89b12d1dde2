with callbacks as (
    select * from {{ ref('stg_wechat__callbacks') }}
    -- a receipt for one of our own messages
    where coalesce(event, '') not in ('templatesendjobfinish', 'masssendjobfinish')
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
