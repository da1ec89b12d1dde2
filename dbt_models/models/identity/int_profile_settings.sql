{%- set redo = changed_events('profile_id', as_of_now=true) -%}

-- what people's devices say about language and time zone, the newest first
with events as (
    select * from {{ redo.events }}
    where
        {{ redo.wanted }}
        and profile_id is not null
        and not is_bot
        and (locale is not null or time_zone is not null)
        and occurred_at <= {{ as_of() }}
)

select
    profile_id,
    lower(split_part(replace(max_by(locale, (occurred_at, event_id)), '_', '-'), '-', 1)) as language,
    max_by(time_zone, (occurred_at, event_id)) as time_zone,
    {{ redo.stamp }}
from events
group by profile_id
