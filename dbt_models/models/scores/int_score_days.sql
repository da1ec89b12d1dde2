{%- set redo = changed_events('profile_id', as_of_now=true, rules=[
    '(select model, rule, event_name, path_like, object_like, category_like, value_unit, value_cap from ' ~ ref('int_score_rules') ~ " where kind = 'event') as rules"
]) -%}

-- how often each profile did what each rule looks for, a day a row
with events as (
    select * from {{ redo.events }}
    where
        {{ redo.wanted }}
        and profile_id is not null
        -- a machine has no interest
        and not is_bot
        and occurred_at <= {{ as_of() }}
),

rules as (
    select * from {{ ref('int_score_rules') }}
    where kind = 'event'
)

select
    events.profile_id,
    rules.model,
    rules.rule,
    cast(events.occurred_at as date) as event_date,
    count(*) as occurrences,
    sum(
        case when rules.value_unit > 0
            then least(greatest(coalesce(events.value, 0) / rules.value_unit, 1.0), rules.value_cap)
            else 1.0
        end
    ) / count(*) as value_multiplier,
    max(events.occurred_at) as last_event_at,
    max_by(events.event_id, (events.occurred_at, events.event_id)) as evidence,
    {{ redo.stamp }}
from events
join rules
    on events.event_name = rules.event_name
    and coalesce(events.page_path, '') like rules.path_like
    and coalesce(events.object_id, '') like rules.object_like
    and coalesce(events.product_category, '') like rules.category_like
group by events.profile_id, rules.model, rules.rule, cast(events.occurred_at as date)
