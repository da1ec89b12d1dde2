{%- set columns = [
    'event_id', 'profile_id', 'identifier_key', 'device_key', 'source', 'event_name', 'occurred_at', 'object_id', 'object_name', 'value',
    'product_category', 'search_keyword', 'page_url', 'page_path', 'page_title', 'referrer', 'utm_source', 'utm_medium', 'utm_campaign',
    'utm_term', 'utm_content', 'locale', 'time_zone', 'is_bot'
] -%}

-- all events of the persons and visitors that the last build found changed, and some more; empty where it found everything new
with sets as (
    select * from {{ ref('int_event_sets') }}
),

latest as (
    select max(changed_at) as found_at
    from sets
    having count(distinct changed_at) > 1
),

changed as (
    select profile_id, visitor_key from sets
    where changed_at in (select found_at from latest)
),

-- told by integers, so that of the other events nothing else is read
keys as (
    select identifier_key from {{ ref('bridge_profile_identifiers') }}
    where profile_id in (select profile_id from changed)
    union
    select visitor_key from changed
),

messages as (
    select message_id from {{ ref('fct_messages') }}
    where profile_id in (select profile_id from changed)
),

theirs as (
    select
        message_id, user_agent, {{ columns | reject('in', ['profile_id', 'is_bot']) | join(', ') }}
    from {{ ref('int_events') }}
    where
        identifier_key in (select identifier_key from keys)
        or device_key in (select visitor_key from changed)
        or message_id in (select message_id from messages)
)

select
    *,
    (select max(changed_at) from sets) as _found_at
from ({{ whose_events('theirs', columns) }}) as events
where not is_bot
