-- the rules as they are shipped, with what somebody wants otherwise
with rules as (
    select * from {{ ref('score_rules') }}
),

overrides as (
    select * from {{ ref('score_rule_overrides') }}
),

groups as (
    select * from {{ ref('score_groups') }}
)

select
    rules.model,
    rules.rule,
    rules.rule_group,
    groups.group_cap,
    rules.kind,
    rules.event_name,
    rules.path_like,
    rules.object_like,
    rules.category_like,
    rules.field,
    rules.value_pattern,
    rules.min_value,
    rules.max_value,
    coalesce(overrides.weight, rules.weight) as weight,
    coalesce(overrides.daily_cap, rules.daily_cap) as daily_cap,
    coalesce(overrides.decay, rules.decay) as decay,
    coalesce(overrides.decay_days, rules.decay_days) as decay_days,
    coalesce(overrides.decay_loss, rules.decay_loss, 0.0) as decay_loss,
    coalesce(rules.value_unit, 0.0) as value_unit,
    coalesce(rules.value_cap, 1.0) as value_cap
from rules
left join overrides using (model, rule)
left join groups using (model, rule_group)
join {{ ref('score_models') }} as models using (model)
where
    coalesce(overrides.is_enabled, true)
    -- presets of other industries wait to be switched on
    and models.is_enabled
