{%- set redo = changed_events('profile_id', rules=[ref('lifecycle_rules')]) -%}

select
    profile_id,
    event_id,
    occurred_at,
    source,
    event_name,
    object_id,
    object_name,
    {{ redo.stamp }}
from {{ redo.events }}
where
    {{ redo.wanted }}
    and profile_id is not null
    and not is_bot
    and event_name in (select event_name from {{ ref('lifecycle_rules') }} union all select 'CRM Property Changed')
