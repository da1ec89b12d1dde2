with events as (
    select * from {{ ref('int_events') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

messages as (
    select * from {{ ref('fct_messages') }}
),

machines as (
    select * from {{ ref('int_machine_devices') }}
),

user_agents as (
    select * from {{ ref('int_user_agents') }}
)

select
    events.event_id,
    -- looked up when it is read, so that a later merge moves old events too
    coalesce(identifiers.profile_id, messages.profile_id) as profile_id,
    events.identifier_key,
    events.device_key,
    events.source,
    events.channel,
    events.event_name,
    events.occurred_at,
    events.message_id,
    events.object_id,
    events.object_name,
    events.value,
    events.currency,
    events.product_id,
    events.product_name,
    events.product_category,
    events.search_keyword,
    events.page_url,
    events.page_path,
    events.page_title,
    events.referrer,
    events.utm_source,
    events.utm_medium,
    events.utm_campaign,
    events.utm_term,
    events.utm_content,
    events.user_agent,
    coalesce(user_agents.is_bot, false) or machines.device_key is not null as is_bot,
    events.properties,
    events._batch_id,
    events._landed_at
from events
left join identifiers using (identifier_key)
left join messages using (message_id)
left join user_agents using (user_agent)
left join machines using (device_key)
